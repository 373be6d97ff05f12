"""Captions that a person changed on the page, applied one by one.

One that was changed elsewhere meanwhile is never overwritten.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stickerforge.captioning.caption_set import CaptionSet
from stickerforge.config.user_paths import to_nfc
from stickerforge.data.caption_files import (
    PERSON,
    lock_captions,
    new_record,
    read_records,
    write_caption,
    write_records,
)
from stickerforge.data.captions import PLACEHOLDER, caption_fault, read_caption
from stickerforge.data.prompt_tables import is_blank
from stickerforge.errors import InputError
from stickerforge.runtime.bounded_files import read_text
from stickerforge.runtime.json_text import parse_json

MAX_BYTES = 100_000_000  # of a file of the page
HINT = "give the file that the page saved"


@dataclass(frozen=True)
class CaptionEdit:
    """A change of one caption.

    Args:
        picture: the file's name.
        caption: the new one, on one line.
        previous: the one that was there when the page was made.
    """

    picture: str
    caption: str
    previous: str


def parse_edits(rows: Any) -> list[CaptionEdit]:
    """The edits in rows of a page, which have the keys "picture", "caption" and "was".

    Raises:
        ValueError: they are something else.
    """
    if not isinstance(rows, list):
        raise ValueError("no rows")
    for row in rows:
        if not isinstance(row, Mapping) or not all(
            isinstance(row.get(key), str) for key in ("picture", "caption", "was")
        ):
            raise ValueError("a row is no change of a caption")
    return [
        CaptionEdit(row["picture"], to_nfc(" ".join(row["caption"].split())), to_nfc(row["was"]))
        for row in rows
    ]


def edit_fault(text: str, placeholder: str) -> str:
    """Why a text cannot be a caption; "" where it can."""
    if is_blank(text):
        return "the caption is empty"
    if fault := caption_fault(text):
        return fault
    if placeholder and text.count(placeholder) != 1:
        return f"say {placeholder} once"
    others = [token for token in PLACEHOLDER.findall(text) if token != placeholder]
    return f"{others[0]} is another new word" if others else ""


def refusal(captions: CaptionSet, edit: CaptionEdit) -> str:
    """A line that says why an edit cannot be applied, or ""."""
    path = captions.folder / edit.picture
    if edit.picture not in {record.picture for record in captions.records}:
        is_here = Path(edit.picture).name == edit.picture and path.is_file()
        fault = "it has no caption any more" if is_here else "no picture of this folder"
        return f"{edit.picture}: {fault}"
    current = read_caption(path)
    if edit.caption == current:
        return ""
    fault = edit_fault(edit.caption, captions.subject.placeholder)
    if not fault and current != edit.previous:
        fault = f"changed elsewhere meanwhile, to {current!r}"
    return f"{edit.picture}: {fault}" if fault else ""


def apply_edits(captions: CaptionSet, edits: Sequence[CaptionEdit]) -> list[str]:
    """Write captions that a person changed; returns a line for each edit that is refused.

    Each is written before it counts as done. Not to be called by two threads at once.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    with lock_captions(captions.folder):
        return apply_locked(captions, edits)


def apply_locked(captions: CaptionSet, edits: Sequence[CaptionEdit]) -> list[str]:
    """As `apply_edits`, under the lock of the captions."""
    refusals = []
    records = read_records(captions.folder)
    places = {record.picture: place for place, record in enumerate(captions.records)}
    for edit in edits:
        if line := refusal(captions, edit):
            refusals.append(line)
            continue
        name, path = edit.picture, captions.folder / edit.picture
        if edit.caption == read_caption(path):
            continue
        old = captions.records[places[name]]
        pair = captions.subject.pair(edit.caption)
        write_caption(path, edit.caption)
        records[name] = new_record(name, old.sha256, pair, PERSON, "", old.asked)
        write_records(captions.folder, records)
        captions.records[places[name]] = records[name]
        captions.edits.add(name)
    return refusals


def apply_file(captions: CaptionSet, path: Path) -> None:
    """Apply what was saved from the page; edits that are refused are added to `failed`.

    Raises:
        InputError: it is no such file, or no edit in it can be applied.
        EnvironmentFault: the disk is full or read-only.
    """
    refusals = apply_edits(captions, read_edits(path))
    if refusals and not captions.edits:
        raise no_edit_applied(path, refusals)
    captions.failed += refusals


def no_edit_applied(path: Path, refusals: Sequence[str]) -> InputError:
    """The error of a file of which every edit is refused."""
    return InputError(f"{path}: {'; '.join(refusals)}", "change it there; nothing was taken")


def read_edits(path: Path) -> list[CaptionEdit]:
    """The edits in a file that was saved from the page.

    Raises:
        InputError: it is no such file.
    """
    try:
        lines = read_text(path, MAX_BYTES).split("\n")
        return parse_edits([parse_json(line) for line in lines if line.strip()])
    except FileNotFoundError:
        raise InputError(f"no file {path}", HINT) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)[:80]
        raise InputError(f"{path} holds no changes of captions: {reason}", HINT) from None
