"""What a network is given besides the noisy latents.

Shapes: B images; L tokens; D text width; P width of the pooled text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Conditioning:
    """Named tensors with one row per image; which ones there are is up to the architecture.

    Names in use: "hidden", one vector per token, (B, L, D); "pooled", one vector per text, (B, P);
    "frames", height and width of the original, top and left of the crop, height and width of the
    crop in pixels, (B, 6); "image_tokens", T tokens for each of R references, (B, R, T, D);
    "control", the picture of side S that a ControlNet reads, (B, 3, S, S).
    """

    tensors: Mapping[str, Tensor]

    def __len__(self) -> int:
        """B."""
        return len(next(iter(self.tensors.values())))

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def including(self, name: str, tensor: Tensor) -> "Conditioning":
        """The same with one more tensor (B, ...), or another one of that name."""
        return Conditioning({**self.tensors, name: tensor})

    def picked(self, rows: Sequence[int]) -> "Conditioning":
        """These rows in this order, some perhaps several times."""
        return Conditioning({name: part[list(rows)] for name, part in self.tensors.items()})


def join(*parts: Conditioning) -> Conditioning:
    """One batch of several, in order; all of them have tensors of the same names."""
    names = parts[0].tensors.keys()
    assert all(part.tensors.keys() == names for part in parts), "conditionings of different kinds"
    return Conditioning({name: torch.cat([part[name] for part in parts]) for name in names})
