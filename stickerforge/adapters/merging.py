"""Several adapters as one (concatenation of their low-rank factors)."""

from collections.abc import Mapping

import torch

from stickerforge.adapters.lora_weights import LoraWeights
from stickerforge.errors import InputError


def concatenate(parents: list[tuple[Mapping[str, LoraWeights], float]]) -> dict[str, LoraWeights]:
    """One adapter whose change is the weighted sum of its parents' changes, exactly.

    Ranks add up: [B1 B2] [A1; A2] = B1 A1 + B2 A2. Averaging the factors instead would leave cross terms
    (peft's "linear" merge does). Scales go into the up factors, so alpha equals the rank.
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


def parse_weight(text: str) -> tuple[str, float]:
    """NAME[:WEIGHT].

    Raises:
        InputError: the weight is no number that can be used.
    """
    name, colon, number = text.rpartition(":")
    if not colon:
        return text, 1.0
    try:
        weight = float(number)
    except ValueError:
        raise InputError(f"{text!r}: {number!r} is no weight", "give NAME or NAME:0.8") from None
    if not -10 <= weight <= 10:  # also refuses what is not a number
        raise InputError(f"{text!r}: the weight is out of range", "give -10 to 10")
    return name, weight
