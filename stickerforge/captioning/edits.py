"""Captions that a person changed on the page: taken one by one, and never over what was changed elsewhere meanwhile."""

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stickerforge.captioning.caption_set import CaptionSet
from stickerforge.data.caption_files import (
    PERSON,
    new_record,
    read_records,
    write_caption,
    write_records,
)
from stickerforge.data.captions import (
    PLACEHOLDER,
    Caption,
    caption_fault,
    caption_pair,
    read_caption,
)
from stickerforge.errors import InputError

HINT = "give the file that the page saved"
LOCK = threading.Lock()  # requests of two tabs take turns


def edit_fault(text: str, placeholder: str) -> str:
    """Why a text cannot be a caption; "" where it can."""
    if not text:
        return "the caption is empty"
    if wrong := caption_fault(text):
        return wrong
    if placeholder and text.count(placeholder) != 1:
        return f"say {placeholder} once"
    strangers = [token for token in PLACEHOLDER.findall(text) if token != placeholder]
    return f"{strangers[0]} is another new word" if strangers else ""


def parse_edits(rows: Sequence[Any]) -> list[dict[str, str]]:
    """Rows of a page: picture, caption, and the caption that was there when the page was made.

    Raises:
        ValueError: they are something else.
    """
    for row in rows:
        if not isinstance(row, Mapping) or not all(
            isinstance(row.get(key), str) for key in ("picture", "caption", "was")
        ):
            raise ValueError("a row is no change of a caption")
    return [{key: row[key] for key in ("picture", "caption", "was")} for row in rows]


def apply_edits(made: CaptionSet, rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Take changes; returns a line for each that cannot be taken. The others are written, each before it counts as done.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    refused = []
    with LOCK:
        record, places = (
            read_records(made.folder),
            {line.picture: number for number, line in enumerate(made.told)},
        )
        for row in rows:
            if why := refusal(made, row):
                refused.append(why)
                continue
            name, text = row["picture"], edited_caption(row)
            if text == read_caption(made.folder / name):
                continue
            line = made.told[places[name]]
            pair = (
                caption_pair(text, made.placeholder, made.words)
                if made.placeholder
                else Caption(text, text)
            )
            write_caption(made.folder / name, text)
            record[name] = new_record(name, line.sha256, pair, PERSON, "", line.asked)
            write_records(made.folder, record)
            made.told[places[name]] = record[name]
            made.taken.add(name)
    return refused


def edited_caption(row: Mapping[str, str]) -> str:
    """The caption of a change, on one line."""
    return " ".join(row["caption"].split())


def refusal(made: CaptionSet, row: Mapping[str, str]) -> str:
    """A line that says why a change cannot be taken, or ""."""
    name, text = row["picture"], edited_caption(row)
    if name not in {line.picture for line in made.told}:
        here = Path(name).name == name and (made.folder / name).is_file()
        return f"{name}: {'it has no caption any more' if here else 'no picture of this folder'}"
    there = read_caption(made.folder / name)
    if text == there:
        return ""
    why = edit_fault(text, made.placeholder) or (
        f"changed elsewhere meanwhile, to {there!r}" if there != row["was"] else ""
    )
    return f"{name}: {why}" if why else ""


def apply_file(made: CaptionSet, path: Path) -> None:
    """Take what was saved from the page; changes that cannot be taken are added to `made.failed`.

    Raises:
        InputError: it is no such file, or no change in it can be taken.
        EnvironmentFault: the disk is full or read-only.
    """
    refused = apply_edits(made, read_edits(path))
    if refused and not made.taken:
        raise no_edit_applied(path, refused)
    made.failed += refused


def no_edit_applied(path: Path, refused: Sequence[str]) -> InputError:
    """What is said where no change could be taken."""
    return InputError(f"{path}: {'; '.join(refused)}", "change it there; nothing was taken")


def read_edits(path: Path) -> list[dict[str, str]]:
    """The changes in a file that was saved from the page.

    Raises:
        InputError: it is no such file.
    """
    try:
        return parse_edits(
            [
                json.loads(line)
                for line in path.read_text(encoding="utf-8").split("\n")
                if line.strip()
            ]
        )
    except FileNotFoundError:
        raise InputError(f"no file {path}", HINT) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} holds no changes of captions: {str(error)[:80]}", HINT) from None
