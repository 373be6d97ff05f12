"""Pictures that were drawn of some prompts, and what draws them. Imports no torch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class DrawnPicture:
    """A picture that was drawn.

    Args:
        file_name: from the folder of its set.
        seed: that it was drawn from; the same for every model.
    """

    file_name: str
    prompt: str
    seed: int


@dataclass(frozen=True)
class DrawnSet:
    """Pictures of some prompts, a few each.

    Args:
        failed: a line for each that could not be drawn.
    """

    folder: Path
    pictures: list[DrawnPicture]
    failed: list[str] = field(default_factory=list)


class Draw(Protocol):
    """Draws pictures of prompts into a folder; those that are there already stay."""

    def __call__(
        self, prompts: Sequence[str], folder: Path, count: int, adapters: tuple[str, ...]
    ) -> DrawnSet:
        """Draw `count` pictures of each prompt with files of adapters.

        Raises:
            StickerforgeError: input or environment; what was drawn stays.
            Interrupted: likewise.
        """
