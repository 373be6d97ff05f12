"""The schema of adapter.json, whoever wrote it. Imports no torch."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from stickerforge.config.description import (
    Bounds,
    FileName,
    Pattern,
    Sha256,
    read_description,
)

Line = Annotated[str, Pattern(r"[^\x00-\x1f\x7f-\x9f]{0,2000}", "one line of text")]
Placeholder = Annotated[str, Pattern(r"<[^<>\s\x00-\x1f]{1,100}>", "a placeholder such as <dog>")]
Words = Annotated[str, Pattern(r"[^\x00-\x1f\x7f-\x9f]{1,500}", "class words on one line")]
Count = Annotated[int, Bounds(0, 10**9)]


@dataclass(frozen=True)
class DescriptionHead:
    """What every version of an adapter.json says, which decides whether the rest can be read."""

    format: Annotated[int, Bounds(1, 10**6)]
    kind: Words


@dataclass(frozen=True)
class BaseDescription:
    """The model that it was made for; the version is a whole number in older ones."""

    name: Words
    version: Line | int | None
    fingerprint: Line


@dataclass(frozen=True)
class ParentDescription:
    """One of the adapters that a merged one was made of."""

    name: Words
    weight: Annotated[float, Bounds(-10, 10)]
    sha256: Sha256
    renamed: dict[Placeholder, Placeholder] = field(default_factory=dict)


@dataclass(frozen=True)
class MadeDescription:
    """What is shown of how it was made; null is what the method does not have."""

    objective: Line | None = None
    steps: Count | None = None
    batch: Count | None = None
    rank: Count | None = None
    beta: Annotated[float, Bounds(0, 1e6)] | Line | None = None
    seed: Annotated[int, Bounds(0, 2**64)] | None = None
    captions: tuple[str, ...] = ()
    versions: dict[str, Line] = field(default_factory=dict)


@dataclass(frozen=True)
class AdapterDescription:
    """The whole; `store.Adapter` says what the entries are."""

    base: BaseDescription
    sha256: Sha256
    file: FileName | None = None
    files: dict[FileName, Sha256] | None = None
    tokens: dict[Placeholder, Words] = field(default_factory=dict)
    phrase: Line = ""
    made: MadeDescription = field(default_factory=MadeDescription)
    parents: list[ParentDescription] = field(default_factory=list)


def check_description(description: Any) -> None:
    """Make sure that a parsed adapter.json follows the schema; further entries are ignored.

    Raises:
        DescriptionError: it does not.
    """
    read_description(AdapterDescription, description)
