"""Captions as a model encodes them whose text encoders are not trained: each once.

Shapes: B captions.
"""

from collections.abc import Sequence

import torch

from stickerforge.models.families.base import DiffusionModel
from stickerforge.sampling.conditioning import Conditioning, join

MAX_BYTES = 300_000_000  # of encodings that are kept


class FrozenTexts:
    """Encodings of captions; where they take too much memory the first ones are forgotten."""

    def __init__(self, model: DiffusionModel) -> None:
        self.model = model
        self.known: dict[tuple[str, int], Conditioning] = {}
        self.bytes = 0

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
