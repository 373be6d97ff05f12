"""A batch in parts, so that a step has memory enough."""

from collections.abc import Callable
from typing import Protocol

from stickerforge.runtime.console import Console


class BatchSettings(Protocol):
    """The settings of training that are about memory."""

    @property
    def batch(self) -> int:
        """Pictures of a step."""

    @property
    def memory(self) -> float:
        """Gigabytes that a step may take; 0 for no limit."""


def largest_part(training: BatchSettings, bytes_of: Callable[[int], int]) -> int:
    """The most pictures of a batch that a step has memory for at once; at least one.

    They divide the batch, since parts of other sizes would count otherwise.

    Args:
        bytes_of: from a number of pictures to the memory that they take.
    """
    limit = training.memory * 1e9
    if not limit:
        return training.batch
    sizes = [size for size in range(training.batch, 0, -1) if training.batch % size == 0]
    return next((size for size in sizes if bytes_of(size) <= limit), 1)


def warn_of_parts(training: BatchSettings, least: int, console: Console) -> None:
    """Warn where a single picture takes more memory than a step may.

    Args:
        least: bytes that it takes.
    """
    if training.memory and least > training.memory * 1e9:
        console.warn(
            f"training.memory={training.memory:g}: a single picture takes about"
            f" {least / 1e9:.1f} GB"
        )
