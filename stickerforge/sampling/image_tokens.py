"""Tokens of pictures that are read beside texts.

Shapes: B images; R references; T tokens of a reference; D text width.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from stickerforge.sampling.conditioning import Conditioning
from stickerforge.sampling.guidance import Guidance, Windowed


@dataclass(frozen=True)
class ImageTokens:
    """Tokens that are read beside texts.

    Args:
        seen: of the references, (R, T, D), beside prompts.
        unseen: of no picture, (R, T, D), beside negative prompts.
        start, end: shares of the steps between which they are read.
    """

    seen: Tensor
    unseen: Tensor
    start: float = 0.0
    end: float = 1.0

    def beside(self, text: Conditioning) -> Conditioning:
        """Prompts with the references."""
        return beside(text, self.seen)

    def beside_negative(self, text: Conditioning) -> Conditioning:
        """Negative prompts with no picture."""
        return beside(text, self.unseen)

    def during(self, told: Guidance, plain: Callable[[], Guidance]) -> Guidance:
        """Guidance that has the tokens in their window of steps alone.

        Args:
            told, plain: guidance with them, and without.
        """
        if self.start <= 0 and self.end >= 1:
            return told
        return Windowed(told, plain(), self.start, self.end)


def beside(text: Conditioning, tokens: Tensor) -> Conditioning:
    """Texts, B of them, each with these tokens (R, T, D)."""
    return text.including("image_tokens", tokens.expand(len(text), *tokens.shape))
