"""Captions that a person changed on the page: taken one by one, and never over what was changed elsewhere meanwhile."""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stickerforge.commands.captioned import Captioned
from stickerforge.data.captions import MAX_CHARACTERS, PLACEHOLDER, paired, sidecar
from stickerforge.data.sidecars import PERSON, now, read_record, write_caption, write_record
from stickerforge.errors import InputError

HINT = "give the file that the page saved"
LOCK = threading.Lock()  # requests of two tabs take turns


def unfit(text: str, placeholder: str) -> str:
    """Why a text cannot be a caption; "" where it can."""
    if not text:
        return "the caption is empty"
    if len(text) > MAX_CHARACTERS or not text.isprintable():
        return f"give up to {MAX_CHARACTERS} readable characters"
    if placeholder and text.count(placeholder) != 1:
        return f"say {placeholder} once"
    strangers = [token for token in PLACEHOLDER.findall(text) if token != placeholder]
    return f"{strangers[0]} is another new word" if strangers else ""


def changes(rows: Sequence[Any]) -> list[dict[str, str]]:
    """Rows of a page: picture, caption, and the caption that was there when the page was made.

    Raises:
        ValueError: they are something else.
    """
    for row in rows:
        if not isinstance(row, Mapping) or not all(isinstance(row.get(key), str) for key in ("picture", "caption", "was")):
            raise ValueError("a row is no change of a caption")
    return [{key: row[key] for key in ("picture", "caption", "was")} for row in rows]


def corrected(made: Captioned, rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Take changes; returns a line for each that cannot be taken. The others are written, each before it counts as done.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    refused = []
    with LOCK:
        record, places = read_record(made.folder), {line.picture: number for number, line in enumerate(made.told)}
        for row in rows:
            name, text = row["picture"], " ".join(row["caption"].split())
            if name not in places:
                refused.append(f"{name}: no picture of this folder")
                continue
            line, there = made.told[places[name]], sidecar(made.folder / name)
            if text == there:
                continue
            why = unfit(text, made.placeholder)
            why = why or (f"changed elsewhere meanwhile, to {there!r}" if there != row["was"] else "")
            if why:
                refused.append(f"{name}: {why}")
                continue
            base = paired(text, made.placeholder, made.words).base if made.placeholder else text
            write_caption(made.folder / name, text)
            record[name] = replace(line, caption=text, base_caption=base, source=PERSON, model="", time=now())
            write_record(made.folder, record)
            made.told[places[name]] = record[name]
            made.taken.add(name)
    return refused


def taken(made: Captioned, path: Path) -> None:
    """Take what was saved from the page.

    Raises:
        InputError: it is no such file, or a change in it cannot be taken; the others are.
        EnvironmentFault: the disk is full or read-only.
    """
    try:
        rows = changes([json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()])
    except FileNotFoundError:
        raise InputError(f"no file {path}", HINT) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} holds no changes of captions: {str(error)[:80]}", HINT) from None
    if refused := corrected(made, rows):
        raise InputError(f"{path}: {refused[0]}", "change it there; the others were taken")
