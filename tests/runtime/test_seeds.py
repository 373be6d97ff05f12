import torch

from stickerforge.runtime.seeds import derive_seed, generator


def test_every_part_matters_and_nothing_else():
    seeds = {
        derive_seed(*parts) for parts in [(1, "a"), (2, "a"), (1, "b"), (1, "a", 1), (1, "a", 0, 1)]
    }
    assert len(seeds) == 5
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert torch.equal(
        torch.randn(3, generator=generator(1, "a")), torch.randn(3, generator=generator(1, "a"))
    )


def test_the_rule_is_fixed():
    """Seeds are part of every recipe: a change here changes every picture ever made."""
    assert derive_seed(1, "latents") == 1194290738287203175
