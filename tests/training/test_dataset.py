"""From pictures to latents."""

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image

from stickerforge.data.picture_folder import read_folder
from stickerforge.runtime.console import Console
from stickerforge.training.concept import Concept
from stickerforge.training.dataset import build_training_set, latent_mask
from stickerforge.training.loss_masks import LossMasks
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


def test_a_caption_that_breaks_during_the_call_costs_one_picture(tiny_sd, tmp_path):
    for name, color in (("a", "red"), ("b", "blue")):
        Image.new("RGB", (64, 64), color).save(tmp_path / f"{name}.png")
    folder, console = read_folder(tmp_path), Console(quiet=True)
    (tmp_path / "a.txt").write_bytes(b"a caf\xe9")
    masks, concept = LossMasks(lambda picture, rgba: None), Concept("<dog>", "dog")
    data = build_training_set(model_of(tiny_sd), folder, concept, 32, masks, console)
    assert [example.name for example in data.examples] == ["b.png"]
    assert "a.txt" in folder.unreadable[0] and "a.txt" in console.warnings[0]


def test_a_mask_of_latents_is_the_mean_of_its_pixels():
    mask = np.random.default_rng(0).random((8, 12), np.float32)
    expected = mask.reshape(4, 2, 6, 2).mean((1, 3))
    np.testing.assert_allclose(latent_mask(mask, 4, 6).numpy(), expected, rtol=1e-6)
