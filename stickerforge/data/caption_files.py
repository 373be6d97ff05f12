"""Captions beside their pictures: a text for each, and captions.jsonl, which says where every one of them comes from."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from stickerforge.data.captions import Caption, read_caption
from stickerforge.errors import InputError
from stickerforge.runtime.files import disk_fault, write_whole

RECORD_FILE = "captions.jsonl"
PERSON: Literal["person"] = "person"


@dataclass(frozen=True)
class CaptionRecord:
    """A line of captions.jsonl.

    Args:
        picture: the file's name.
        sha256: of the picture.
        caption: with the new word.
        base_caption: the same with the class in its place.
        source: "model", or "person" where somebody has written or changed it.
        model: the captioner and a digest of it; "" for a person.
        asked: what decides a caption besides picture and model: subject, class and form.
        time: when, in UTC.
        seal: a digest of both captions, by which a line that was changed by hand is known; "" in files of before.
    """

    picture: str
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
    """Sixteen hexadecimal digits."""
    return hashlib.sha256(f"{pair.text}\n{pair.base}".encode()).hexdigest()[:16]


def new_record(
    picture: str,
    sha256: str,
    pair: Caption,
    source: Literal["model", "person"],
    model: str,
    asked: str,
) -> CaptionRecord:
    """A line that is written now."""
    return CaptionRecord(
        picture,
        sha256,
        pair.text,
        pair.base,
        source,
        model,
        asked,
        datetime.now(UTC).isoformat(timespec="seconds"),
        caption_digest(pair),
    )


def read_records(folder: Path) -> dict[str, CaptionRecord]:
    """{picture: its line}; empty where nothing was captioned yet.

    A call that was killed leaves lines as it appended them: a new one beside that of before, and perhaps half a one at the end.

    Raises:
        InputError: the file is there and broken.
    """
    path = folder / RECORD_FILE
    try:
        *lines, last = path.read_text(encoding="utf-8").split("\n")
        told = [parse_record(line) for line in lines if line.strip()]
        told += [parse_record(last)] if last.endswith("}") else []
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{path} is broken: {str(error)[:80]}",
            "mend that line, or remove the file; the texts stay",
        ) from None
    of_pictures: dict[str, list[CaptionRecord]] = {}
    for one in told:
        of_pictures.setdefault(one.picture, []).append(one)
    return {
        name: ones[-1] if len(ones) == 1 else matching_record(folder, ones)
        for name, ones in of_pictures.items()
    }


def parse_record(line: str) -> CaptionRecord:
    """A line of the file.

    Raises:
        ValueError, TypeError: it is none.
    """
    told = CaptionRecord(**json.loads(line))
    if any(not isinstance(value, str) for value in asdict(told).values()):
        raise ValueError("a value is no text")
    return told


def matching_record(folder: Path, lines: Sequence[CaptionRecord]) -> CaptionRecord:
    """Of several lines of one picture that of the text which lies beside it, else the last."""
    said = read_caption(folder / lines[-1].picture)
    return next((one for one in reversed(lines) if one.caption == said), lines[-1])


def append_record(folder: Path, told: CaptionRecord) -> None:
    """Add a line before its text is written, so that a text without its line is never ours.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    path = folder / RECORD_FILE
    try:
        with path.open("ab") as file:
            file.write((json.dumps(asdict(told), ensure_ascii=True) + "\n").encode())
    except OSError as error:
        raise disk_fault(error, path) from error


def write_records(folder: Path, told: dict[str, CaptionRecord]) -> None:
    """Write captions.jsonl, in the order of the pictures' names.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    lines = [json.dumps(asdict(told[name]), ensure_ascii=True) + "\n" for name in sorted(told)]
    write_whole(folder / RECORD_FILE, "".join(lines).encode())


def write_caption(picture: Path, caption: str) -> None:
    """Write the text beside a picture.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    write_whole(picture.with_suffix(".txt"), f"{caption}\n".encode())
