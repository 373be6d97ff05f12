"""Captions beside their pictures: a text for each, and captions.jsonl with the origin of each."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from stickerforge.config.description import Pattern, read_description
from stickerforge.config.user_paths import to_nfc
from stickerforge.data.captions import Caption, caption_path, read_caption
from stickerforge.errors import InputError
from stickerforge.runtime.bounded_files import read_text
from stickerforge.runtime.files import disk_fault, locked, write_whole
from stickerforge.runtime.json_text import parse_json

# Whatever a file may be called, and nothing outside of the folder.
PictureName = Annotated[
    str, Pattern(r"(?!\.{1,2}$)[^/\x00]{1,255}", "the name of a picture", surrogates=True)
]
RECORD_FILE = "captions.jsonl"
MAX_BYTES = 500_000_000  # of captions.jsonl
PERSON: Literal["person"] = "person"


@dataclass(frozen=True)
class CaptionRecord:
    """A line of captions.jsonl; its fields are the keys of the JSON.

    Args:
        picture: the file's name.
        sha256: of the picture.
        caption: with the placeholder.
        base_caption: the same with the class words in its place.
        source: "model", or "person" where somebody has written or changed it.
        model: the captioner and a digest of it; "" for a person.
        asked: what decides a caption besides picture and model: placeholder, class words and
            form, joined by "|".
        time: when it was written, in UTC.
        seal: a digest of both captions, which tells whether a line was changed by hand; "" in
            files of earlier versions.
    """

    picture: PictureName
    sha256: str
    caption: str
    base_caption: str
    source: Literal["model", "person"]
    model: str
    asked: str
    time: str
    seal: str = ""

    @property
    def changed_by_hand(self) -> bool:
        """Whether somebody has changed the captions of this line."""
        return bool(self.seal) and self.seal != caption_digest(
            Caption(self.caption, self.base_caption)
        )


def caption_digest(pair: Caption) -> str:
    """Sixteen hexadecimal digits that change with a caption or its base caption."""
    return hashlib.sha256(f"{pair.text}\n{pair.base}".encode()).hexdigest()[:16]


def new_record(
    picture: str,
    sha256: str,
    pair: Caption,
    source: Literal["model", "person"],
    model: str,
    key: str,
) -> CaptionRecord:
    """The record of a caption that is written now.

    Args:
        key: what decides a caption besides picture and model: `CaptionRecord.asked`.
    """
    return CaptionRecord(
        picture,
        sha256,
        pair.text,
        pair.base,
        source,
        model,
        key,
        datetime.now(UTC).isoformat(timespec="seconds"),
        caption_digest(pair),
    )


def read_records(folder: Path) -> dict[str, CaptionRecord]:
    """{picture: its record}; empty where nothing was captioned yet.

    A call that was killed leaves lines as it appended them: a new one beside that of before, and
    perhaps half a one at the end.

    Raises:
        InputError: the file is there and broken.
    """
    path = folder / RECORD_FILE
    try:
        *lines, last = read_text(path, MAX_BYTES).split("\n")
        records = [parse_record(line) for line in lines if line.strip()]
        records += [parse_record(last)] if last.endswith("}") else []
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} is broken: {getattr(error, 'strerror', None) or str(error)[:80]}",
            "mend that line, or remove the file; the texts stay",
        ) from None
    by_picture: dict[str, list[CaptionRecord]] = {}
    for record in records:
        by_picture.setdefault(record.picture, []).append(record)
    return {
        name: records[-1] if len(records) == 1 else matching_record(folder, records)
        for name, records in by_picture.items()
    }


def parse_record(line: str) -> CaptionRecord:
    """The record in a line of the file.

    Raises:
        ValueError: there is none.
    """
    return read_description(CaptionRecord, parse_json(line))


def matching_record(folder: Path, records: Sequence[CaptionRecord]) -> CaptionRecord:
    """Of several records of one picture that of the text which lies beside it, else the last."""
    try:
        text = read_caption(folder / records[-1].picture)
    except InputError:
        return records[-1]
    matching = (record for record in reversed(records) if to_nfc(record.caption) == text)
    return next(matching, records[-1])


@contextmanager
def lock_captions(folder: Path) -> Iterator[None]:
    """Within, no other call changes captions of a folder, or their records; others wait.

    Whoever writes a caption holds it while they look at the one that is there, append the record
    and write the text. Not to be entered twice.
    """
    with locked(folder.resolve(), wait=True):
        yield


def append_record(folder: Path, record: CaptionRecord) -> None:
    """Add a line to captions.jsonl, under the lock.

    This comes before its text is written, so that a text without a line is never ours.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    path = folder / RECORD_FILE
    try:
        with path.open("a+b") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
            complete = file.read() in (b"", b"\n")
        if not complete:  # another call was killed while it wrote
            write_records(folder, read_records(folder))
        with path.open("ab") as file:
            file.write((json.dumps(asdict(record), ensure_ascii=True) + "\n").encode())
    except OSError as error:
        raise disk_fault(error, path) from error


def update_records(
    folder: Path, changes: Mapping[str, CaptionRecord], known: Mapping[str, CaptionRecord]
) -> None:
    """Write captions.jsonl anew, in order; a record that another call has changed stays.

    Args:
        changes: {picture: its record} to be written.
        known: {picture: its record} when the changes were decided.

    Raises:
        InputError: the file was broken meanwhile.
        EnvironmentFault: the disk is full or read-only.
    """
    with lock_captions(folder):
        records = read_records(folder)
        fresh = {name for name in changes if records.get(name) == known.get(name)}
        write_records(folder, records | {name: changes[name] for name in fresh})


def write_records(folder: Path, records: Mapping[str, CaptionRecord]) -> None:
    """Write captions.jsonl, under the lock, in the order of the pictures' names.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    lines = [
        json.dumps(asdict(records[name]), ensure_ascii=True) + "\n" for name in sorted(records)
    ]
    write_whole(folder / RECORD_FILE, "".join(lines).encode())


def write_caption(picture: Path, caption: str) -> None:
    """Write the text beside a picture.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    write_whole(caption_path(picture), f"{caption}\n".encode())
