"""Rows of prompt files as programs and people write them: txt, csv and jsonl, in UTF-8.

Spreadsheets of many languages write ";" or tabs for commas; they and data frames add columns
without a name, and turn whole numbers into "1.0" where a column has gaps.
"""

import csv
import io
import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from stickerforge.errors import InputError, nearest

COLUMNS = ("prompt", "negative", "seed", "count", "style", "id")
NUMBERS = ("seed", "count")
DELIMITERS = ",;\t"
SEPARATOR_LINE = re.compile(r"sep=(.)\n", re.IGNORECASE)  # Excel's own first line
INDEX_NAME = re.compile(r"(unnamed: \d+)?", re.IGNORECASE)  # how pandas calls a column of none
WHOLE_NUMBER = re.compile(r"(-?\d{1,100})(?:\.0*)?")
EXACT = 2**53  # whole numbers up to this one are exact as floats
RANDOM = -1  # the seed by which other programs mean "any"
# What fonts show as nothing although it counts as letters or marks: fillers of Hangul, an empty
# Braille cell, the grapheme joiner, vowels of Khmer, and selectors of variants.
INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5") | frozenset(
    chr(code) for code in (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
)
INVISIBLE_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"}  # blanks, controls, joiners, directions

Row = tuple[int, dict[str, Any]]  # number of its line, and {column: value} of what is given


def table_reader(path: Path) -> Callable[[str, Path], Iterator[Row]]:
    """What reads a file of this suffix.

    Raises:
        InputError: nothing does.
    """
    readers = {".txt": txt_rows, ".csv": csv_rows, ".tsv": csv_rows}
    readers |= {".jsonl": jsonl_rows, ".ndjson": jsonl_rows}
    if path.suffix.lower() not in readers:
        raise InputError(f"{path} is no prompt file", "give a .txt, .csv or .jsonl file")
    return readers[path.suffix.lower()]


def decode_text(path: Path, content: bytes) -> str:
    """The text of a file, each of its lines ended by a line feed.

    Raises:
        InputError: a byte is not UTF-8; it names the line.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        lines = re.findall(rb"\r\n|\r|\n", content[: error.start])
        raise InputError(
            f"{path} line {len(lines) + 1}: byte {content[error.start]:#04x} is not UTF-8",
            "save the file as UTF-8",
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def txt_rows(text: str, path: Path) -> Iterator[Row]:
    """Every line that is not empty."""
    for number, line in enumerate(text.splitlines(), 1):
        if not is_blank(line):
            yield number, {"prompt": line.strip()}


def is_blank(text: str) -> bool:
    """Whether nothing of a text is visible."""
    return all(
        character in INVISIBLE or unicodedata.category(character) in INVISIBLE_CATEGORIES
        for character in text
    )


def csv_rows(text: str, path: Path) -> Iterator[Row]:
    """Every row below the header; seeds and counts become numbers.

    Raises:
        InputError: the header or a row is broken.
    """
    separator = SEPARATOR_LINE.match(text)
    if separator:
        text = text[separator.end() :]
    skipped = 1 if separator else 0
    delimiter = separator[1] if separator else find_delimiter(text.partition("\n")[0])
    # Blanks after a comma belong to no cell, or a quote behind them would not be one.
    reader = csv.reader(
        io.StringIO(text), delimiter=delimiter, skipinitialspace=delimiter != " ", strict=True
    )
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        check_columns([name for name in header if is_named(name)], f"{path} line {1 + skipped}")
        for cells in reader:
            if any(cell.strip() for cell in cells):
                line = reader.line_num + skipped
                yield line, read_cells(header, cells, f"{path} line {line}")
    except csv.Error as error:
        raise InputError(
            f"{path} line {reader.line_num + skipped}: {error}", "mend the quotes of that line"
        ) from None


def find_delimiter(header: str) -> str:
    """What stands between the columns of a header: that by which most of its names are known."""

    def known(delimiter: str) -> int:
        names = {name.strip(' "').lower() for name in header.split(delimiter)}
        return len(names & set(COLUMNS))

    return max(DELIMITERS, key=known)


def is_named(name: str) -> bool:
    """Whether a column has a name; a data frame's index and empty columns have none."""
    return not INDEX_NAME.fullmatch(name)


def read_cells(header: Sequence[str], cells: Sequence[str], where: str) -> dict[str, Any]:
    """{column: value} of the cells of a row that are not empty.

    Args:
        where: file and line, for messages.

    Raises:
        InputError: there are fewer cells than columns, or one belongs to none.
    """
    texts = [cell.strip() for cell in cells]
    if len(texts) <= max(place for place, name in enumerate(header) if is_named(name)):
        raise InputError(
            f"{where}: {len(texts)} of {len(header)} cells", "give each row a cell for each column"
        )
    fields: dict[str, Any] = {}
    for place, text in enumerate(texts):
        name = header[place] if place < len(header) else ""
        if is_named(name):
            if text:
                fields[name] = parse_number(text) if name in NUMBERS else text
        elif text and not (place == 0 and text.isdecimal()):  # a data frame's index counts
            raise InputError(
                f"{where}: {text[:40]!r} stands in a column without a name",
                "quote cells that hold commas, or name the column",
            )
    return fields


def jsonl_rows(text: str, path: Path) -> Iterator[Row]:
    """Every line, which holds a JSON object, or nothing.

    Raises:
        InputError: a line holds something else.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line, parse_float=exact_number)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path} line {number}: not JSON ({str(error)[:80]})", "write one object a line"
            ) from None
        if not isinstance(fields, dict):
            raise InputError(f"{path} line {number}: not a JSON object", 'write {"prompt": "…"}')
        check_columns(list(fields), f"{path} line {number}")
        yield (
            number,
            {
                name: whole_number(value) if name in NUMBERS else value
                for name, value in fields.items()
                if not is_missing(value)
            },
        )


def is_missing(value: Any) -> bool:
    """Whether a value stands for none: null, or the NaN of a data frame's gaps."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def check_columns(names: Sequence[str], where: str) -> None:
    """Make sure that all columns are known, none is there twice, and there is one of prompts.

    Raises:
        InputError: they are not so.
    """
    if len(set(names)) < len(names):
        raise InputError(f"{where}: a column is there twice", "take one out")
    for name in names:
        if name not in COLUMNS:
            raise InputError(f"{where}: unknown column {name[:60]!r}", nearest(name, COLUMNS))
    if "prompt" not in names:
        raise InputError(
            f"{where}: there is no column 'prompt'", f"columns are {', '.join(COLUMNS)}"
        )


def exact_number(text: str) -> int | float:
    """A number of JSON with a point or an exponent; a whole one keeps all of its digits."""
    number = parse_number(text)
    return number if isinstance(number, int) else float(text)


def parse_number(cell: str) -> int | str:
    """The whole number in a cell, or the cell where there is none."""
    match = WHOLE_NUMBER.fullmatch(cell)
    return int(match[1]) if match else cell


def whole_number(value: Any) -> Any:
    """A float that is a whole number as one; anything else as it is."""
    is_whole = isinstance(value, float) and abs(value) <= EXACT and value % 1 == 0
    return int(value) if is_whole else value
