"""Captions beside their pictures: a text for each, and captions.jsonl, which says where every one of them comes from."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from stickerforge.errors import InputError
from stickerforge.runtime.files import write_whole

RECORD = "captions.jsonl"
PERSON: Literal["person"] = "person"


@dataclass(frozen=True)
class Told:
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
    """

    picture: str
    sha256: str
    caption: str
    base_caption: str
    source: Literal["model", "person"]
    model: str
    asked: str
    time: str


def now() -> str:
    """The time, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_record(folder: Path) -> dict[str, Told]:
    """{picture: its line}; empty where nothing was captioned yet.

    Raises:
        InputError: the file is there and broken.
    """
    path = folder / RECORD
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        told = [Told(**json.loads(line)) for line in lines if line.strip()]
        if any(not isinstance(value, str) for one in told for value in asdict(one).values()):
            raise ValueError("a value is no text")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path} is broken: {str(error)[:80]}", "mend that line, or remove the file; the texts stay") from None
    return {one.picture: one for one in told}


def write_record(folder: Path, told: dict[str, Told]) -> None:
    """Write captions.jsonl, in the order of the pictures' names.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    lines = [json.dumps(asdict(told[name]), ensure_ascii=True) + "\n" for name in sorted(told)]
    write_whole(folder / RECORD, "".join(lines).encode())


def write_caption(picture: Path, caption: str) -> None:
    """Write the text beside a picture.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    write_whole(picture.with_suffix(".txt"), f"{caption}\n".encode())
