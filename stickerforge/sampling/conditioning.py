"""What a network is told besides the noisy latents.

Shapes: B pictures; L tokens; D text width; P width of the pooled text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Conditioning:
    """An encoded text, and where the architecture takes them its pooled form and the picture's frame.

    Args:
        hidden: one vector per token, (B, L, D).
        pooled: one vector per text, (B, P), or None.
        frames: height and width of the original, top and left of the crop, height and width of the crop
            in pixels, (B, 6); None means the whole of a picture of the sampled size.
    """

    hidden: Tensor
    pooled: Tensor | None = None
    frames: Tensor | None = None

    def __len__(self) -> int:
        return len(self.hidden)

    def expanded(self, count: int) -> "Conditioning":
        """One text for `count` pictures."""
        return Conditioning(
            *(  # type: ignore[arg-type]
                None if part is None else part.expand(count, *part.shape[1:])
                for part in self.parts()
            )
        )

    def picked(self, rows: Sequence[int]) -> "Conditioning":
        """These texts, in this order, some perhaps several times."""
        return Conditioning(
            *(None if part is None else part[list(rows)] for part in self.parts())  # type: ignore[arg-type]
        )

    def parts(self) -> tuple[Tensor | None, ...]:
        """hidden, pooled, frames."""
        return self.hidden, self.pooled, self.frames


def join(*texts: Conditioning) -> Conditioning:
    """One batch of several, in order."""
    columns = zip(*(text.parts() for text in texts), strict=True)
    return Conditioning(
        *(None if parts[0] is None else torch.cat(parts) for parts in columns)  # type: ignore[arg-type]
    )
