"""Images that are sampled together: those of one length, each in the slot that its seed decides."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stickerforge.models.families.base import DiffusionModel


@dataclass(frozen=True)
class Sample:
    """One image of a micro-batch before it is sampled.

    Args:
        windows: how long its encoded texts are, as `prompt_windows` says.
        base_windows: likewise those that the base reads in consistency guidance.
    """

    text: str
    seed: int
    negative: str
    base_text: str
    windows: int = 1
    base_windows: int = 1


def prompt_windows(model: DiffusionModel, *texts: str) -> int:
    """How many windows long texts are that guide an image together: a prompt and its negative."""
    return max(map(model.context_windows, texts))


def micro_batches(samples: Sequence[Sample], size: int) -> Iterator[dict[int, Sample]]:
    """Split into runs of at most `size`, each as {slot: sample}; the seed alone decides the slot.

    Matrix products round differently from row to row, so an image must always have the same slot;
    and it must not be drawn from a longer context because another one's prompt is longer.
    """
    batch: dict[int, Sample] = {}
    lengths = (1, 1)
    for item in samples:
        if item.seed % size in batch or (batch and lengths != (item.windows, item.base_windows)):
            yield batch
            batch = {}
        lengths = item.windows, item.base_windows
        batch[item.seed % size] = item
    if batch:
        yield batch
