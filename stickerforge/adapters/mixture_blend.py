"""A mixture of LoRAs as one plain LoRA: exact where the shares of its parents are known."""

from collections.abc import Mapping, Sequence

from stickerforge.adapters.lora_weights import AdapterWeights, LoraWeights
from stickerforge.adapters.merging import concatenate
from stickerforge.adapters.mixture_weights import MixtureWeights


def blend(weights: MixtureWeights, shares: Mapping[str, Sequence[float]]) -> dict[str, LoraWeights]:
    """The LoRA that changes every layer by the weighted sum of its parents' changes.

    Args:
        shares: of each parent, by layer.
    """
    blended: dict[str, LoraWeights] = {}
    for layer in weights.layers:
        pieces: list[tuple[Mapping[str, LoraWeights], float]] = [
            ({layer: lora[layer]}, share)
            for lora, share in zip(weights.loras, shares[layer], strict=True)
            if layer in lora
        ]
        blended |= concatenate(pieces)
    return blended


def even_shares(weights: MixtureWeights) -> dict[str, list[float]]:
    """Shares by which all parents count alike, whatever the prompt is."""
    count = len(weights.loras)
    return dict.fromkeys(weights.layers, [1 / count] * count)


def blended_adapter(
    weights: MixtureWeights, shares: Mapping[str, Sequence[float]]
) -> AdapterWeights:
    """See `blend`."""
    return AdapterWeights(blend(weights, shares))
