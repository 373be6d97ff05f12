"""Prompt files: txt (one prompt a line), csv (with a header) and jsonl; faults name their line."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stickerforge.config.schema import MAX_COUNT, MAX_SEED
from stickerforge.config.user_paths import to_nfc
from stickerforge.data.prompt_tables import NUMBERS, RANDOM, decode_text, is_blank, table_reader
from stickerforge.errors import InputError, nearest
from stickerforge.runtime.bounded_files import read_bounded

BOUNDS = {"seed": (0, MAX_SEED), "count": (1, MAX_COUNT)}
SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
MAX_CHARACTERS = 4000
MAX_BYTES = 50_000_000
MAX_ROWS = 100_000


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
    read_rows = table_reader(path)
    try:
        content = read_bounded(path, MAX_BYTES)
    except FileNotFoundError:
        raise InputError(f"no prompt file {path}", "check the path") from None
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}",
            f"give a file of at most {MAX_BYTES // 1_000_000} MB",
        ) from None
    rows, ids = list[PromptRow](), set()
    for line, fields in read_rows(decode_text(path, content), path):
        row = check_row(fields, f"{path} line {line}", styles)
        if len(rows) == MAX_ROWS:
            raise InputError(f"{path} holds over {MAX_ROWS} prompts", "split it")
        if row.id and row.id.lower() in ids:
            raise InputError(
                f"{path} line {line}: id {row.id!r} is there twice", "give each row its own id"
            )
        ids.add(row.id.lower())
        rows.append(row)
    if not rows:
        raise InputError(f"{path} holds no prompts", "write one prompt a line")
    return rows


def check_row(fields: dict[str, Any], where: str, styles: Collection[str] | None) -> PromptRow:
    """A row of the right types, within bounds.

    Args:
        where: file and line, for messages.
        styles: as in `read_prompts`.

    Raises:
        InputError: a field cannot be used.
    """
    if fields.get("seed") == RANDOM:
        del fields["seed"]
    for name, value in fields.items():
        kind, noun = (int, "a whole number") if name in NUMBERS else (str, "a text")
        if type(value) is not kind:
            raise InputError(
                f"{where}: {name} = {repr(value)[:60]} is not {noun}",
                f"give {noun}, without quotes in JSON" if kind is int else "write it in quotes",
            )
        if name in BOUNDS and not BOUNDS[name][0] <= int(value) <= BOUNDS[name][1]:
            raise InputError(
                f"{where}: {name} = {value} is out of range", "give {} to {}".format(*BOUNDS[name])
            )
    texts = {name: to_nfc(value) for name, value in fields.items() if isinstance(value, str)}
    row = PromptRow(**({"prompt": ""} | fields | texts))
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
        InputError: it is empty or invisible, far too long, or holds control characters.
    """
    if is_blank(prompt):
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
