"""Several adapters as one (concatenation of their low-rank factors)."""

from collections.abc import Mapping

import torch

from stickerforge.adapters.lora_weights import LoraWeights


def concatenate(parents: list[tuple[Mapping[str, LoraWeights], float]]) -> dict[str, LoraWeights]:
    """One adapter whose change is the weighted sum of its parents' changes, exactly.

    Ranks add up: [B1 B2] [A1; A2] = B1 A1 + B2 A2. Averaging the factors instead would leave cross
    terms (peft's "linear" merge does). Scales go into the up factors, so alpha equals the rank.
    """
    merged = {}
    for layer in sorted({layer for lora, _ in parents for layer in lora}):
        pieces = [(lora[layer], weight) for lora, weight in parents if layer in lora]
        down = torch.cat([factors.down.float() for factors, _ in pieces])
        up = torch.cat(
            [
                factors.up.float() * (weight * factors.alpha / factors.rank)
                for factors, weight in pieces
            ],
            1,
        )
        merged[layer] = LoraWeights(down, up, float(len(down)))
    return merged
