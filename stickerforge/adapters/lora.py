"""Low-rank adapters as plain tensors (Hu et al., arXiv:2106.09685), apart from any network.

Shapes: r rank; I, O inputs and outputs of a layer (a convolution's down factor is (r, I, K, K), its up factor (O, r, 1, 1)).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Factors:
    """The change of one layer: alpha / r * up @ down.

    Args:
        down: (r, I), "lora_A" of peft.
        up: (O, r), "lora_B" of peft.
    """

    down: Tensor
    up: Tensor
    alpha: float

    @property
    def rank(self) -> int:
        """r."""
        return len(self.down)

    def delta(self) -> Tensor:
        """The change as one matrix (O, I * K * K), float64."""
        return self.alpha / self.rank * (self.up.double().flatten(1) @ self.down.double().flatten(1))


@dataclass(frozen=True)
class Taught:
    """Everything an adapter's file holds.

    Args:
        lora: factors by layer, named with its part of the model: "unet.mid_block.….to_q".
        tokens: placeholder -> text tower -> embedding (D,), float32.
    """

    lora: Mapping[str, Factors]
    tokens: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)


def concatenated(parents: list[tuple[Mapping[str, Factors], float]]) -> dict[str, Factors]:
    """One adapter whose change is the weighted sum of its parents' changes, exactly.

    Ranks add up: [B1 B2] [A1; A2] = B1 A1 + B2 A2. Averaging the factors instead would leave cross terms
    (peft's "linear" merge does). Scales go into the up factors, so alpha equals the rank.
    """
    merged = {}
    for layer in sorted({layer for lora, _ in parents for layer in lora}):
        pieces = [(lora[layer], weight) for lora, weight in parents if layer in lora]
        down = torch.cat([factors.down.float() for factors, _ in pieces])
        up = torch.cat([factors.up.float() * (weight * factors.alpha / factors.rank) for factors, weight in pieces], 1)
        merged[layer] = Factors(down, up, float(len(down)))
    return merged
