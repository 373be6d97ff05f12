"""Tables of one JSON object a line, each of which follows a schema; faults name file and line."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from stickerforge.config.description import read_description
from stickerforge.errors import InputError
from stickerforge.runtime.bounded_files import read_bounded, read_text
from stickerforge.runtime.files import disk_fault, write_whole
from stickerforge.runtime.json_text import parse_json

Row = TypeVar("Row")

MAX_BYTES = 2_000_000_000
MAX_ROWS = 2_000_000


def read_rows(path: Path, schema: type[Row]) -> Iterator[tuple[int, Row]]:
    """(number of its line, row) of a table; blank lines are passed over.

    Args:
        schema: a dataclass, as in `config.description`.

    Raises:
        InputError: it is missing, cannot be read, or a line of it is broken, which is named.
    """
    try:
        lines = read_text(path, MAX_BYTES).split("\n")
    except FileNotFoundError:
        raise InputError(f"there is no {path}", "check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)[:80]
        raise InputError(f"cannot read {path}: {reason}", "write it as UTF-8 text") from None
    if len(lines) > MAX_ROWS:
        raise InputError(f"{path} holds over {MAX_ROWS} rows", "split it")
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield number, read_row(line, schema, f"{path} line {number}")


def read_row(line: str, schema: type[Row], where: str) -> Row:
    """The row that a line holds.

    Args:
        where: file and line, for messages.

    Raises:
        InputError: there is none.
    """
    try:
        return read_description(schema, parse_json(line))
    except ValueError as error:
        raise InputError(f"{where}: {str(error)[:200]}", "mend or remove that line") from None


def write_rows(path: Path, rows: Iterable[Any]) -> None:
    """Write a table of dataclasses as a whole.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    write_whole(path, "".join(to_line(row) for row in rows).encode())


def append_row(path: Path, row: Any) -> None:
    """Add a row to a table, which need not be there, so that it survives a power cut.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    try:
        with path.open("ab") as file:
            file.write(to_line(row).encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise disk_fault(error, path) from error


def drop_unfinished_line(table: Path) -> None:
    """Leave out the end of a table that a kill cut off in the middle of a line.

    Raises:
        EnvironmentFault: the table cannot be written.
    """
    try:
        content = read_bounded(table, MAX_BYTES)
    except OSError:
        return  # whoever reads the table says why it cannot be read
    if content and not content.endswith(b"\n"):
        head, _, tail = content.rpartition(b"\n")
        if not tail.rstrip().endswith(b"}"):
            write_whole(table, head + b"\n" if head else b"")
        else:
            write_whole(table, content + b"\n")


def to_line(row: Any) -> str:
    """A dataclass of plain values as a line of JSON; fields that are None are left out."""
    fields = {name: value for name, value in vars(row).items() if value is not None}
    return json.dumps(fields, ensure_ascii=True) + "\n"
