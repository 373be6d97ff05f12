"""What latent diffusion models share."""

import torch

from stickerforge.models.registry import find_model, load_model
from tests.tiny import write_tiny_sd


def test_a_gradient_passes_from_premultiplied_pixels_to_latents(tmp_path):
    """For methods that learn from a score of the pixels; the autoencoder's alpha is straight."""
    folder = write_tiny_sd(tmp_path / "sd", channels=4)
    model = load_model(find_model(str(folder)), torch.device("cpu"), torch.float32)
    random = torch.Generator().manual_seed(0)
    latents = torch.randn((1, *model.latent_shape(32)), generator=random).requires_grad_()
    pixels = model.decode(latents)
    pixels.square().mean().backward()
    assert pixels.shape == (1, 4, 32, 32) and latents.grad.abs().max() > 0
    with torch.no_grad():
        decoded = model.vae.decode(latents / model.vae.config.scaling_factor).sample
    straight = (decoded / 2 + 0.5).clamp(0, 1)
    assert torch.equal(pixels[:, :3], straight[:, :3] * straight[:, 3:])
    assert torch.equal(pixels[:, 3:], straight[:, 3:])
