"""Captions as a model encodes them whose text encoders are not trained: each once.

Shapes: B captions.
"""

from collections.abc import Sequence

import torch

from stickerforge.models.families.base import DiffusionModel
from stickerforge.sampling.conditioning import Conditioning, join

MAX_BYTES = 300_000_000  # of encodings that are kept


class FrozenTexts:
    """Encodings of captions, those that were asked for last."""

    def __init__(self, model: DiffusionModel) -> None:
        self.model = model
        self.known: dict[tuple[str, int], Conditioning] = {}
        self.bytes = 0

    def rows_by_length(self, captions: Sequence[str]) -> list[list[int]]:
        """The rows of captions that are read in as many windows, group by group."""
        groups: dict[int, list[int]] = {}
        for row, caption in enumerate(captions):
            groups.setdefault(self.model.context_windows(caption), []).append(row)
        return list(groups.values())

    def encode(self, captions: Sequence[str], windows: int) -> Conditioning:
        """Captions, all of them as long as so many windows."""
        return join(*(self.encoding(caption, windows) for caption in captions))

    def encoding(self, caption: str, windows: int) -> Conditioning:
        """One caption, from what is kept where it is there."""
        key = caption, windows
        if key in self.known:
            return self.known[key]
        with torch.no_grad():
            text = self.model.encode_prompt([caption], windows)
        self.known[key] = text
        self.bytes += size_of(text)
        while self.bytes > MAX_BYTES and len(self.known) > 1:
            self.bytes -= size_of(self.known.pop(next(iter(self.known))))
        return text


def size_of(text: Conditioning) -> int:
    """The memory of an encoding in bytes."""
    return sum(part.numel() * part.element_size() for part in text.tensors.values())
