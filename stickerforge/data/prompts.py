"""Prompt files: txt (one prompt a line), csv (with a header) and jsonl; faults name their line."""

import csv
import io
import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stickerforge.config.schema import MAX_COUNT, MAX_SEED
from stickerforge.errors import InputError, nearest

COLUMNS = ("prompt", "negative", "seed", "count", "style", "id")
BOUNDS = {"seed": (0, MAX_SEED), "count": (1, MAX_COUNT)}
SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
MAX_CHARACTERS = 4000
MAX_BYTES = 200_000_000


@dataclass(frozen=True)
class PromptRow:
    """One row of a prompt file; None and "" stand for the settings of the call."""

    prompt: str
    negative: str = ""
    seed: int | None = None
    count: int | None = None
    style: str = ""
    id: str = ""


def read_prompts(path: Path, *, styles: Collection[str] | None) -> list[PromptRow]:
    """Every row of a prompt file.

    Args:
        styles: the styles that a row may name; its id has to be fit for a file's name. None where
            the pictures are there already: then styles and ids are any texts.

    Raises:
        InputError: the file is missing, of another kind, empty, or a line of it is broken.
    """
    readers = {".txt": txt_rows, ".csv": csv_rows, ".jsonl": jsonl_rows, ".ndjson": jsonl_rows}
    if path.suffix.lower() not in readers:
        raise InputError(f"{path} is no prompt file", "give a .txt, .csv or .jsonl file")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} has over {MAX_BYTES} bytes", "split it")
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"no prompt file {path}", "check the path") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", "give a readable file") from None
    rows, ids = [], set()
    for line, fields in readers[path.suffix.lower()](decode_text(path, content), path):
        row = check_row(fields, f"{path} line {line}", styles)
        if row.id and row.id.lower() in ids:
            raise InputError(
                f"{path} line {line}: id {row.id!r} is there twice", "give each row its own id"
            )
        ids.add(row.id.lower())
        rows.append(row)
    if not rows:
        raise InputError(f"{path} holds no prompts", "write one prompt a line")
    return rows


def decode_text(path: Path, content: bytes) -> str:
    """The text of the file.

    Raises:
        InputError: a byte is not UTF-8; it names the line.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path} line {line}: byte {content[error.start]:#04x} is not UTF-8",
            "save the file as UTF-8",
        ) from None


def txt_rows(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, fields) of every line that is not empty."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield number, {"prompt": line.strip()}


def csv_rows(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, fields) of every row below the header; seeds and counts become numbers.

    Raises:
        InputError: the header or a row is broken.
    """
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        check_columns(header, f"{path} line 1")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                where = f"{path} line {reader.line_num}"
                raise InputError(
                    f"{where}: {len(cells)} cells, the header has {len(header)}",
                    "quote cells that hold commas",
                )
            fields = {
                name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()
            }
            yield (
                reader.line_num,
                {
                    name: parse_cell(cell) if name in BOUNDS else cell
                    for name, cell in fields.items()
                },
            )
    except csv.Error as error:
        raise InputError(
            f"{path} line {reader.line_num}: {error}", "mend the quotes of that line"
        ) from None


def jsonl_rows(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, fields) of every line, which holds a JSON object, or nothing.

    Raises:
        InputError: a line holds something else.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path} line {number}: not JSON ({str(error)[:80]})", "write one object a line"
            ) from None
        if not isinstance(fields, dict):
            raise InputError(f"{path} line {number}: not a JSON object", 'write {"prompt": "…"}')
        check_columns(list(fields), f"{path} line {number}")
        yield number, {name: value for name, value in fields.items() if value is not None}


def check_columns(names: Sequence[str], where: str) -> None:
    """Make sure that all columns are known, none is there twice, and there is one of prompts.

    Raises:
        InputError: they are not so.
    """
    if len(set(names)) < len(names):
        raise InputError(f"{where}: a column is there twice", "take one out")
    for name in names:
        if name not in COLUMNS:
            raise InputError(f"{where}: unknown column {name!r}", nearest(name, list(COLUMNS)))
    if "prompt" not in names:
        raise InputError(
            f"{where}: there is no column 'prompt'", f"columns are {', '.join(COLUMNS)}"
        )


def parse_cell(cell: str) -> int | str:
    """The whole number in a cell, or the cell where there is none."""
    return int(cell) if re.fullmatch(r"\d{1,18}", cell) else cell


def check_row(fields: dict[str, Any], where: str, styles: Collection[str] | None) -> PromptRow:
    """A row of the right types, within bounds.

    Args:
        where: file and line, for messages.
        styles: as in `read_prompts`.

    Raises:
        InputError: a field cannot be used.
    """
    for name, value in fields.items():
        kind, noun = (int, "a whole number") if name in BOUNDS else (str, "a text")
        if type(value) is not kind:
            raise InputError(f"{where}: {name} = {value!r} is not {noun}", "mend that line")
        if name in BOUNDS and not BOUNDS[name][0] <= int(value) <= BOUNDS[name][1]:
            raise InputError(
                f"{where}: {name} = {value} is out of range", "give {} to {}".format(*BOUNDS[name])
            )
    row = PromptRow(**({"prompt": ""} | fields))
    check_prompt(row.prompt, where)
    check_characters(row.negative, f"{where}: the negative prompt")
    if styles is None:
        return row
    if row.style and row.style not in styles:
        raise InputError(f"{where}: unknown style {row.style!r}", nearest(row.style, list(styles)))
    if row.id and not SAFE_ID.fullmatch(row.id):
        raise InputError(
            f"{where}: id {row.id!r} cannot be a file name", "use letters, digits, '.', '_' and '-'"
        )
    return row


def check_prompt(prompt: str, where: str) -> None:
    """Make sure that a prompt is a text that can be drawn.

    Raises:
        InputError: it is empty, far too long, or holds control characters.
    """
    if not prompt.strip():
        raise InputError(
            f"{where}: the prompt is empty", 'say what to draw, for example "cat astronaut"'
        )
    check_characters(prompt, f"{where}: the prompt")


def check_characters(text: str, what: str) -> None:
    """Make sure that a text is not too long and holds no control characters.

    Args:
        what: file, line and field, for messages.

    Raises:
        InputError: it is too long, or holds what no file and no terminal should be given.
    """
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"{what} has {len(text)} characters", f"give at most {MAX_CHARACTERS}")
    if character := control_character(text):
        raise InputError(
            f"{what} holds the control character U+{ord(character):04X}", "take it out"
        )


def control_character(text: str) -> str:
    """The first character that no file and no terminal should be given, or "".

    Joiners and marks of direction are parts of some scripts, and none of these.
    """
    return next((character for character in text if is_control(character)), "")


def is_control(character: str) -> bool:
    """Whether a character is a control character but line feed and tab, or a lone surrogate."""
    code = ord(character)
    return (
        not character.isprintable()
        and character not in "\n\t"
        and (code < 0x2000 or 0xD800 <= code < 0xE000)
    )
