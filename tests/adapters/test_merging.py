"""Concatenation is the exact weighted sum."""

import torch

from stickerforge.adapters.lora_weights import LoraWeights
from stickerforge.adapters.merging import concatenate


def factors(seed, rank, outputs=6, inputs=5, alpha=3.0):
    random = torch.Generator().manual_seed(seed)
    return LoraWeights(
        torch.randn((rank, inputs), generator=random),
        torch.randn((outputs, rank), generator=random),
        alpha,
    )


def test_a_merge_is_the_weighted_sum_of_its_parents():
    first = {"unet.a": factors(1, 4), "unet.b": factors(2, 4)}
    second = {"unet.a": factors(3, 7, alpha=1.5), "unet.c": factors(4, 2)}
    merged = concatenate([(first, 0.8), (second, -1.3)])
    assert set(merged) == {"unet.a", "unet.b", "unet.c"}
    assert (merged["unet.a"].rank, merged["unet.b"].rank) == (11, 4)
    expected = 0.8 * first["unet.a"].delta() - 1.3 * second["unet.a"].delta()
    torch.testing.assert_close(merged["unet.a"].delta(), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(
        merged["unet.c"].delta(), -1.3 * second["unet.c"].delta(), rtol=1e-5, atol=1e-6
    )


def test_averaging_the_factors_would_not_be():
    first, second = factors(1, 4), factors(2, 4)
    averaged = LoraWeights(first.down + second.down, first.up + second.up, first.alpha).delta()
    assert not torch.allclose(averaged, first.delta() + second.delta(), atol=0.1)


def test_convolutions_too():
    random = torch.Generator().manual_seed(5)
    pieces = [
        LoraWeights(
            torch.randn((2, 3, 3, 3), generator=random),
            torch.randn((4, 2, 1, 1), generator=random),
            2.0,
        )
        for _ in range(2)
    ]
    merged = concatenate([({"unet.conv": pieces[0]}, 1.0), ({"unet.conv": pieces[1]}, 0.5)])[
        "unet.conv"
    ]
    torch.testing.assert_close(
        merged.delta(), pieces[0].delta() + 0.5 * pieces[1].delta(), rtol=1e-5, atol=1e-6
    )
