"""Rectified flows."""

import pytest
import torch

from stickerforge.errors import InputError
from stickerforge.models.registry import find_model, load_model
from stickerforge.sampling.denoise import denoise
from stickerforge.sampling.guidance import NoGuidance
from tests.tiny import as_flow


def test_a_flow_is_sampled_along_its_line(tiny_sd, tmp_path):
    folder = as_flow(tiny_sd, tmp_path / "flow")
    model = load_model(find_model(str(folder)), torch.device("cpu"), torch.float32)
    process, shape = model.noise_process, model.latent_shape(model.pixels)
    noise = torch.randn((1, *shape), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        text = model.encode_prompt(["a cat"])
        scheduler = process.scheduler("model", 4, shape)
        made = denoise(model.predict, scheduler, noise, NoGuidance(text))
        latents = noise.double()
        steps = [*process.scheduler("model", 4, shape).timesteps.tolist(), 0.0]
        for now, then in zip(steps, steps[1:], strict=False):
            latents += (
                (then - now)
                / 1000
                * model.predict(latents.float(), torch.tensor(now), text).double()
            )
    torch.testing.assert_close(made.double(), latents, rtol=1e-3, atol=1e-3)
    with pytest.raises(InputError, match="follows a flow"):
        process.scheduler("ddim", 4, shape)
