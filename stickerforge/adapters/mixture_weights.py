"""The weights of a mixture of LoRAs: its parents' factors, and gates. Imports no torch.

Shapes: A parents; U width of what gates read, see `objectives.mixture`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from stickerforge.adapters.lora_weights import LoraWeights

MAX_PARENTS = 16


@dataclass(frozen=True)
class MixtureWeights:
    """A mixture.

    Args:
        names: of the parents, A of them.
        loras: of every parent: factors by layer, named with its network.
        gates: of every layer that a parent changes, W_g, (A, U).
        temperature: what W_g u is divided by.
    """

    names: tuple[str, ...]
    loras: "tuple[Mapping[str, LoraWeights], ...]"
    gates: "Mapping[str, Tensor]"
    temperature: float = 1.0

    @property
    def layers(self) -> list[str]:
        """The layers that a parent changes, in their order."""
        return sorted({layer for lora in self.loras for layer in lora})
