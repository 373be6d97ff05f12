"""From pictures to latents."""

import numpy as np
import torch
from diffusers import AutoencoderKL

from stickerforge.training.dataset import latent_mask
from tests.training.setups import model_of


def test_latents_are_those_of_the_autoencoder(tiny_sd):
    model = model_of(tiny_sd)
    pixels = torch.rand((1, 3, 32, 32), generator=torch.Generator().manual_seed(1))
    mean, deviation = model.encode(pixels)
    vae = AutoencoderKL.from_pretrained(tiny_sd / "vae")
    with torch.no_grad():
        posterior = vae.encode(pixels * 2 - 1).latent_dist
    torch.testing.assert_close(
        mean, posterior.mean * vae.config.scaling_factor, rtol=1e-5, atol=1e-6
    )
    torch.testing.assert_close(
        deviation, posterior.std * vae.config.scaling_factor, rtol=1e-5, atol=1e-6
    )


def test_a_mask_of_latents_is_the_mean_of_its_pixels():
    mask = np.random.default_rng(0).random((8, 12), np.float32)
    expected = mask.reshape(4, 2, 6, 2).mean((1, 3))
    np.testing.assert_allclose(latent_mask(mask, 4, 6).numpy(), expected, rtol=1e-6)
