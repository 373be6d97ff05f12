"""Pictures with their captions: a folder with texts beside them, or a table that lists both.

A table is a .jsonl file with one object a line: `{"file_name": "a.png", "text": "…"}`, as data sets
of pictures have it in metadata.jsonl; "picture" or "image", and "caption" or "prompt", are as good.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

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
CONDITION = "condition"
MAX_BYTES = 2_000_000_000  # of a table
MAX_ROWS = 2_000_000


class Row(NamedTuple):
    """A picture with its caption, and the picture that it is to be drawn like; None for itself."""

    path: Path
    caption: str
    condition: Path | None = None


@dataclass(frozen=True)
class CaptionedPictures:
    """What can be trained on.

    Args:
        pictures: each with its caption, in the order of the table or of their names.
        conditions: what each is to be drawn like; empty where that was not asked for.
        unreadable: a line for each picture that cannot be used.
        without_caption: names of pictures that have none.
        other_files: names of what is no picture; those of folders end with a slash.
    """

    pictures: list[tuple[Picture, str]] = field(default_factory=list)
    conditions: list[Picture] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    without_caption: list[str] = field(default_factory=list)
    other_files: list[str] = field(default_factory=list)

    @property
    def captions(self) -> list[str]:
        """The captions in their order."""
        return [caption for _, caption in self.pictures]


def read_captioned_pictures(place: Path, *, conditions: bool = False) -> CaptionedPictures:
    """The pictures of a folder or table with their captions.

    Args:
        conditions: whether each has another picture that it is to be drawn like, as a table may
            say under "condition"; else it is the picture itself.

    Raises:
        InputError: there is no such place, a caption or row is broken or empty, or no picture
            with a caption can be used.
    """
    table = place / TABLE if place.is_dir() else place
    if table.suffix.lower() in SUFFIXES and table.exists():
        rows = list(table_rows(table, conditions=conditions))
        found = CaptionedPictures(
            without_caption=unlisted(place, {row.path for row in rows} | condition_paths(rows))
        )
    elif place.is_dir():
        found, rows = list_folder(place)
    elif not place.exists():
        raise InputError(f"no folder {place}", "check the path")
    else:
        raise InputError(
            f"{place} lists no pictures",
            "give a folder of pictures with captions, or a .jsonl file",
        )
    add_pictures(found, rows, place, conditions=conditions)
    if not found.pictures:
        raise InputError(
            f"{place}: no picture in it has a caption",
            f"`stickerforge caption {place}` writes them: a text beside each picture",
        )
    return found


def add_pictures(
    found: CaptionedPictures, rows: Sequence[Row], place: Path, *, conditions: bool = False
) -> None:
    """Load the pictures of rows, with their captions.

    Args:
        place: where they are listed, for messages.
        conditions: whether what they are to be drawn like is loaded, too.

    Raises:
        InputError: none of them can be used.
    """
    known: dict[Path, Picture | InputError] = {}
    for row in rows:
        try:
            picture = load_reference(row.path)
            if conditions:
                found.conditions.append(condition_of(row, picture, known))
            found.pictures.append((picture, row.caption))
        except InputError as error:
            found.unreadable.append(error.message)
    if found.unreadable and not found.pictures:
        raise InputError(
            f"{place}: none of its {len(rows)} pictures with a caption can be used: "
            f"{found.unreadable[0]}",
            KINDS_HINT,
        )


def condition_of(row: Row, picture: Picture, known: dict[Path, Picture | InputError]) -> Picture:
    """What a row's picture is to be drawn like.

    Args:
        picture: of the row itself.
        known: by path, what was read before; this one is added.

    Raises:
        InputError: it cannot be read.
    """
    if row.condition is None:
        return picture
    if row.condition not in known:
        try:
            known[row.condition] = load_reference(row.condition)
        except InputError as error:
            known[row.condition] = error
    found = known[row.condition]
    if isinstance(found, InputError):
        raise InputError(f"{row.path.name}: its condition {found.message}", found.hint)
    return found


def condition_paths(rows: Sequence[Row]) -> set[Path]:
    """The pictures that others are to be drawn like."""
    return {row.condition for row in rows if row.condition}


def unlisted(place: Path, listed: set[Path]) -> list[str]:
    """Names of the pictures of a folder that its table does not list; none of a table alone."""
    paths = list_entries(place) if place.is_dir() else []
    return [path.name for path in paths if may_be_picture(path) and path not in listed]


def list_folder(folder: Path) -> tuple[CaptionedPictures, list[Row]]:
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
            rows.append(Row(path, caption))
        else:
            found.without_caption.append(path.name)
    return found, rows


def table_rows(table: Path, *, conditions: bool = False) -> Iterator[Row]:
    """Every picture of a table with its caption; paths count from the table's folder.

    Args:
        conditions: whether the pictures are read that these are to be drawn like.

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
        condition = row.get(CONDITION) if conditions else None
        if not isinstance(condition, str | None):
            raise InputError(f"{where}: its {CONDITION!r} is no text", "give a picture's file")
        yield Row(
            table.parent / user_path(name),
            caption,
            table.parent / user_path(condition) if condition else None,
        )


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
