"""The training of a GPU lap: buffer, loss and rate."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from examples.recipes.mini import (
    denoiser,
    gpu_lap_training,
    latent_buffer,
    networks,
)


def test_the_buffer_of_a_lap_forgets_the_oldest():
    import queue

    bank, handed = (
        latent_buffer.LatentBuffer(
            lambda pixels: pixels[:, :1, ::8, ::8].repeat(1, 8, 1, 1), "cpu", 6
        ),
        queue.Queue(),
    )
    for value in (10, 20):
        handed.put(
            (
                np.full((4, 128, 128, 4), value, np.uint8),
                np.full((4, latent_buffer.CAPTIONS_EACH, 77), value, np.int16),
            )
        )
    bank.take(handed, most=1)
    assert bank.total == 4 and handed.qsize() == 1
    bank.take(handed)
    assert bank.total == 8 and bank.tokens[:, 0, 0].tolist() == [20, 20, 10, 10, 20, 20]
    latents, tokens = bank.sample(50, torch.Generator().manual_seed(0))
    torch.testing.assert_close(latents[:, 0, 0, 0], tokens[:, 0] / 127.5 - 1, atol=1e-3, rtol=1e-3)


def test_a_lap_follows_the_loss_of_the_denoiser():
    class Net(torch.nn.Module):
        def forward(self, noisy, timesteps, hidden):
            return SimpleNamespace(
                sample=0.5 * noisy + timesteps[:, None, None, None] / 1000, last_hidden_state=noisy
            )

    class Text(torch.nn.Module):
        def forward(self, tokens):
            return SimpleNamespace(last_hidden_state=tokens)

    model = torch.nn.ModuleDict({"unet": Net(), "text": Text()})
    latents, tokens, weight = torch.randn(4096, 8, 2, 2), torch.zeros(4096, 77), torch.ones(8, 1, 1)
    scheduler = networks.build_scheduler()
    ours = gpu_lap_training.lap_loss(
        model, scheduler.alphas_cumprod, latents, tokens, weight, torch.Generator().manual_seed(1)
    )
    theirs = denoiser.velocity_loss(
        model["unet"], model["text"], scheduler, latents, tokens, 1, weight
    )
    assert abs(float(ours) / float(theirs) - 1) < 0.03  # other noise, the same expectation


def test_the_rate_of_a_lap_ends_at_nothing():
    assert (
        gpu_lap_training.lap_lr(0.0, 0) == gpu_lap_training.RATE / gpu_lap_training.WARMUP
        and gpu_lap_training.lap_lr(0.5, 500) == gpu_lap_training.RATE
    )
    assert gpu_lap_training.lap_lr(1.0, 500) == 0 and gpu_lap_training.lap_lr(
        0.8, 500
    ) == pytest.approx(gpu_lap_training.RATE / 2)
