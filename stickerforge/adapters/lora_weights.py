"""Low-rank adapters as plain tensors (Hu et al., arXiv:2106.09685), apart from any network.

Shapes: r rank; I, O inputs and outputs of a layer (a convolution's down factor is (r, I, K, K), its
up factor (O, r, 1, 1)).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class LoraWeights:
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
        return (
            self.alpha / self.rank * (self.up.double().flatten(1) @ self.down.double().flatten(1))
        )


@dataclass(frozen=True)
class AdapterWeights:
    """Everything an adapter's file holds.

    Args:
        lora: factors by layer, named with its network: "unet.mid_block.….to_q".
        tokens: placeholder -> text encoder -> embedding (D,), float32.
    """

    lora: Mapping[str, LoraWeights]
    tokens: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
