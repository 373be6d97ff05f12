"""The schema of adapter.json, whoever wrote it. Imports no torch."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from stickerforge.config.description import (
    Bounds,
    DescriptionError,
    FileName,
    Pattern,
    Sha256,
    read_description,
)
from stickerforge.models.long_prompts import LongPrompts

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
    """What all formats say; `store.Adapter` says what the entries are."""

    base: BaseDescription
    sha256: Sha256
    tokens: dict[Placeholder, Words] = field(default_factory=dict)
    phrase: Line = ""
    made: MadeDescription = field(default_factory=MadeDescription)
    parents: list[ParentDescription] = field(default_factory=list)
    long_prompts: LongPrompts | None = None
    encoder: Line = ""


@dataclass(frozen=True)
class OneFile:
    """What FORMAT 1 says of its tensors."""

    file: FileName


@dataclass(frozen=True)
class SeveralFiles:
    """What later formats say of them: the sha256 of every file."""

    files: dict[FileName, Sha256]

    def __post_init__(self) -> None:
        """Make sure that there are some.

        Raises:
            DescriptionError: there are none.
        """
        if not self.files:
            raise DescriptionError("files is empty")


def check_description(description: Any, *, of_one_file: bool) -> None:
    """Make sure that a parsed adapter.json follows the schema; further entries are ignored.

    Args:
        of_one_file: whether its format keeps all tensors in one file.

    Raises:
        DescriptionError: it does not.
    """
    read_description(AdapterDescription, description)
    read_description(OneFile if of_one_file else SeveralFiles, description)
