"""Pictures with their captions: a folder with texts beside them, or a table that lists both.

A table is a .jsonl file with one object a line: `{"file_name": "a.png", "text": "…"}`, as data sets
of pictures have it in metadata.jsonl; "picture" or "image", and "caption" or "prompt", are as good.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stickerforge.config.user_paths import to_nfc, user_path
from stickerforge.data.captions import caption_fault, caption_path, read_caption
from stickerforge.data.picture_folder import (
    KINDS_HINT,
    list_entries,
    list_pictures,
    may_be_picture,
)
from stickerforge.data.pictures import Picture, load_reference
from stickerforge.data.prompt_tables import is_blank
from stickerforge.errors import InputError
from stickerforge.runtime.bounded_files import read_text
from stickerforge.runtime.json_text import parse_json

TABLE = "metadata.jsonl"
SUFFIXES = (".jsonl", ".ndjson")
PICTURE_KEYS = ("file_name", "picture", "image")
CAPTION_KEYS = ("text", "caption", "prompt")
MAX_BYTES = 2_000_000_000  # of a table
MAX_ROWS = 2_000_000


@dataclass(frozen=True)
class CaptionedPictures:
    """What can be trained on.

    Args:
        pictures: each with its caption, in the order of the table or of their names.
        unreadable: a line for each picture that cannot be used.
        without_caption: names of pictures that have none.
        other_files: names of what is no picture; those of folders end with a slash.
    """

    pictures: list[tuple[Picture, str]] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    without_caption: list[str] = field(default_factory=list)
    other_files: list[str] = field(default_factory=list)

    @property
    def captions(self) -> list[str]:
        """The captions in their order."""
        return [caption for _, caption in self.pictures]


def read_captioned_pictures(place: Path) -> CaptionedPictures:
    """The pictures of a folder or table with their captions.

    Raises:
        InputError: there is no such place, a caption or row is broken or empty, or no picture
            with a caption can be used.
    """
    table = place / TABLE if place.is_dir() else place
    if table.suffix.lower() in SUFFIXES and table.exists():
        rows = list(table_rows(table))
        found = CaptionedPictures(without_caption=unlisted(place, {path for path, _ in rows}))
    elif place.is_dir():
        found, rows = list_folder(place)
    elif not place.exists():
        raise InputError(f"no folder {place}", "check the path")
    else:
        raise InputError(
            f"{place} lists no pictures",
            "give a folder of pictures with captions, or a .jsonl file",
        )
    add_pictures(found, rows, place)
    if not found.pictures:
        raise InputError(
            f"{place}: no picture in it has a caption",
            f"`stickerforge caption {place}` writes them: a text beside each picture",
        )
    return found


def add_pictures(found: CaptionedPictures, rows: Sequence[tuple[Path, str]], place: Path) -> None:
    """Load the pictures of rows, with their captions.

    Args:
        place: where they are listed, for messages.

    Raises:
        InputError: none of them can be used.
    """
    for path, caption in rows:
        try:
            found.pictures.append((load_reference(path), caption))
        except InputError as error:
            found.unreadable.append(error.message)
    if found.unreadable and not found.pictures:
        raise InputError(
            f"{place}: none of its {len(rows)} pictures with a caption can be used: "
            f"{found.unreadable[0]}",
            KINDS_HINT,
        )


def unlisted(place: Path, listed: set[Path]) -> list[str]:
    """Names of the pictures of a folder that its table does not list; none of a table alone."""
    paths = list_entries(place) if place.is_dir() else []
    return [path.name for path in paths if may_be_picture(path) and path not in listed]


def list_folder(folder: Path) -> tuple[CaptionedPictures, list[tuple[Path, str]]]:
    """(what is left out of a folder, every picture that has a text beside it, with that).

    Raises:
        InputError: there is no picture, or a caption is broken or empty.
    """
    paths, others = list_pictures(folder)
    found, rows = CaptionedPictures(other_files=others), []
    for path in paths:
        caption = read_caption(path)
        if not caption and caption_path(path).exists():
            raise InputError(
                f"the caption of {path.name} is empty",
                "say there what is in the picture, or remove it",
            )
        if caption:
            rows.append((path, caption))
        else:
            found.without_caption.append(path.name)
    return found, rows


def table_rows(table: Path) -> Iterator[tuple[Path, str]]:
    """Every picture of a table with its caption; paths count from the table's folder.

    Raises:
        InputError: it cannot be read, or a row is broken, names the line.
    """
    try:
        text = read_text(table, MAX_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)[:80]
        raise InputError(f"cannot read {table}: {reason}", "write it as UTF-8 text") from None
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{table} line {number}"
        if number > MAX_ROWS:
            raise InputError(f"{table} holds over {MAX_ROWS} rows", "split it")
        try:
            row = parse_json(line)
        except ValueError as error:
            raise InputError(
                f"{where}: not JSON ({str(error)[:80]})", "write one object a line"
            ) from None
        name = text_of(row, PICTURE_KEYS, where)
        caption = to_nfc(" ".join(text_of(row, CAPTION_KEYS, where).split()))
        if is_blank(caption):
            raise InputError(f"{where}: the caption is empty", "say what is in the picture")
        if fault := caption_fault(caption):
            raise InputError(f"{where}: that is no caption: {fault}", "mend it")
        yield table.parent / user_path(name), caption


def text_of(row: Any, keys: tuple[str, ...], where: str) -> str:
    """The text that a row has under one of some keys.

    Raises:
        InputError: it has none.
    """
    values = [row[key] for key in keys if key in row] if isinstance(row, dict) else []
    if not values or not isinstance(values[0], str):
        raise InputError(
            f"{where}: there is no text {keys[0]!r}",
            f'write {{"{PICTURE_KEYS[0]}": "a.png", "{CAPTION_KEYS[0]}": "…"}}',
        )
    return values[0]
