"""Loss weights against diffusers' own signal-to-noise ratio and errors of clean latents."""

import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr

from stickerforge.objectives.loss_weighting import snr_weights

SCHEDULE = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
TIMESTEPS = torch.tensor([3, 120, 400, 800, 998])


def tensors(seed, count=2):
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(5, 4, 3, 3, generator=random, dtype=torch.float64) for _ in range(count)]


def test_the_formula_of_the_usual_training_scripts():
    snr = compute_snr(SCHEDULE, TIMESTEPS).double()
    expected = torch.stack([snr, torch.full_like(snr, 5.0)], 1).min(1).values / snr
    torch.testing.assert_close(snr_weights(snr, 5.0, "epsilon"), expected)
    torch.testing.assert_close(snr_weights(snr, 5.0, "v_prediction"), expected * snr / (snr + 1))


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample", "flow"])
def test_every_prediction_weighs_the_same_error_of_clean_latents_alike(prediction):
    """An error, turned into one of the clean latents, counts min(SNR, gamma) times."""
    latents, noise = tensors(0)
    (slip,) = tensors(1, 1)
    signal = SCHEDULE.alphas_cumprod[TIMESTEPS].double()[:, None, None, None]
    sigma = (1 - SCHEDULE.alphas_cumprod[TIMESTEPS].double()).sqrt()
    if prediction == "flow":
        snr, share = ((1 - sigma) / sigma).square(), sigma[:, None, None, None]
        noisy = (1 - share) * latents + share * noise
        clean = noisy - share * (noise - latents + slip)
    else:
        snr, noisy = (
            (signal / (1 - signal)).flatten(),
            signal.sqrt() * latents + (1 - signal).sqrt() * noise,
        )
        clean = {
            "epsilon": (noisy - (1 - signal).sqrt() * (noise + slip)) / signal.sqrt(),
            "v_prediction": signal.sqrt() * noisy
            - (1 - signal).sqrt() * (signal.sqrt() * noise - (1 - signal).sqrt() * latents + slip),
            "sample": latents + slip,
        }[prediction]
    wanted = snr.clamp(max=5) * (clean - latents).square().mean((1, 2, 3))
    torch.testing.assert_close(
        snr_weights(snr, 5.0, prediction) * slip.square().mean((1, 2, 3)),
        wanted,
        rtol=1e-6,
        atol=1e-9,
    )


def test_pure_noise_weighs_something_finite():
    assert snr_weights(torch.tensor([0.0]), 5.0, "v_prediction").item() == 0
    assert torch.isfinite(snr_weights(torch.tensor([0.0]), 5.0, "epsilon")).all()
