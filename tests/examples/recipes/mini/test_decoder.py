"""The texture loss of the decoder."""

import numpy as np
import scipy.stats
import torch

from examples.recipes.mini import (
    decoder,
)


def test_texture_is_how_values_are_distributed_wherever_they_lie(monkeypatch):
    rng = np.random.default_rng(5)
    monkeypatch.setattr(decoder, "SAMPLED_PIXELS", 10_000)
    flat = torch.zeros(2, 4, 40, 40)
    flat[:, :, :, 20:] = 0.5
    generator = lambda: torch.Generator().manual_seed(0)  # noqa: E731
    assert decoder.texture_loss(flat, flat, generator()) == 0
    assert decoder.texture_loss(flat.roll(7, -2), flat, generator()) < 1e-6, (
        "moved along its edge, it is the same texture"
    )
    mottled = flat + torch.from_numpy(rng.normal(0, 0.05, flat.shape)).float()
    blurred = torch.nn.functional.avg_pool2d(flat, 9, 1, 4, count_include_pad=False)
    assert (
        decoder.texture_loss(mottled, flat, generator()) > 0.01
        and decoder.texture_loss(blurred, flat, generator()) > 0.01
    )

    lines = []
    monkeypatch.setattr(
        decoder, "DIRECTIONS", 0
    )  # the axes alone: the distance is that of every channel by itself
    value = float(decoder.texture_loss(mottled, flat, generator()))
    for planes in zip(mottled, flat, strict=True):
        here = [plane[:, :-1, :-1] for plane in planes]
        across = [4 * (plane[:, 1:, :-1] - plane[:, :-1, :-1]).abs() for plane in planes]
        along = [4 * (plane[:, :-1, 1:] - plane[:, :-1, :-1]).abs() for plane in planes]
        for first, second in (here, across, along):
            lines += [
                scipy.stats.wasserstein_distance(a.flatten(), b.flatten())
                for a, b in zip(first, second, strict=True)
            ]
    assert abs(value - np.mean(lines)) < 1e-6
