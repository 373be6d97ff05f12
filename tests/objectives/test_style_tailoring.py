"""The rule of Style Tailoring against shares that are known, and against plain averages."""

import math

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from stickerforge.objectives.style_tailoring import (
    THRESHOLD,
    clean_share,
    interval,
    is_content,
    log_snr,
    stratified_weight,
)

SD = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")


def levels():
    signal = SD.alphas_cumprod.double()
    return [log_snr(float(value)) for value in signal / (1 - signal)]


def test_the_threshold_is_that_of_timestep_900():
    table = levels()
    assert table[900] == pytest.approx(THRESHOLD, abs=5e-4)
    noisy = [is_content(level, table[900], "noisy") for level in table]
    assert noisy == [timestep > 900 for timestep in range(1000)]
    assert [is_content(level, table[900], "clean") for level in table] == [not it for it in noisy]


def test_the_share_of_the_timesteps_below_a_threshold():
    table = levels()
    share = clean_share(lambda position: table[int(position * 1000)], table[900])
    assert share == pytest.approx(0.901, abs=1e-6)  # timesteps 0 to 900
    assert clean_share(lambda position: -position, 1.0) == pytest.approx(0, abs=1e-8)
    assert clean_share(lambda position: -position, -2.0) == 1
    # A flow: sigma = position, log(SNR) = 2 log((1 - sigma) / sigma).
    flow = clean_share(lambda sigma: 2 * math.log((1 - sigma) / max(sigma, 1e-9)), THRESHOLD)
    assert flow == pytest.approx(0.893, abs=5e-4)


@pytest.mark.parametrize("content", ["noisy", "clean"])
def test_the_sets_share_all_timesteps(content):
    own, other = (interval(0.9, content, of_content=it) for it in (True, False))
    assert sorted([*own, *other]) == [0.0, 0.9, 0.9, 1.0]
    assert (own == (0.9, 1.0)) == (content == "noisy")


def test_stratified_places_have_the_expectation_of_plain_ones():
    rng, share, batch = np.random.default_rng(0), 0.099, 8
    content, style = rng.normal(5, 1, 200_000), rng.normal(1, 1, 200_000)
    expected = share * content.mean() + (1 - share) * style.mean()
    for places in (4, 3, 1):
        weights = (
            stratified_weight(share, places, batch),
            stratified_weight(1 - share, batch - places, batch),
        )
        mean = weights[0] * places * content.mean() + weights[1] * (batch - places) * style.mean()
        assert mean / batch == pytest.approx(expected)


def test_noise_alone_has_no_signal():
    assert log_snr(0.0) == -math.inf
    assert log_snr(float(torch.tensor(1.0).exp())) == pytest.approx(1)
    assert is_content(-math.inf, THRESHOLD, "noisy")
