"""The training of a GPU lap: buffer, loss and rate."""

import queue
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from examples.recipes.mini import (
    dataset_3,
    denoiser,
    gpu_lap_training,
    lap_step,
    latent_buffer,
    networks,
    optim,
)
from examples.recipes.mini.art import Subject
from examples.recipes.mini.backgrounds import Ground
from examples.recipes.mini.scene import Truth
from examples.recipes.mini.settings import STYLES


def test_the_buffer_of_a_lap_forgets_the_oldest():
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
                np.ones(4, np.float32),
            )
        )
    bank.take(handed, most=1)
    assert bank.total == 4 and handed.qsize() == 1
    bank.take(handed)
    assert bank.total == 8 and bank.tokens[:, 0, 0].tolist() == [20, 20, 10, 10, 20, 20]
    latents, tokens = bank.sample(50, torch.Generator().manual_seed(0))
    torch.testing.assert_close(latents[:, 0, 0, 0], tokens[:, 0] / 127.5 - 1, atol=1e-3, rtol=1e-3)


def test_a_scene_is_learned_from_by_its_weight():
    buffer, handed = (
        latent_buffer.LatentBuffer(
            lambda pixels: pixels[:, :1, ::8, ::8].repeat(1, 8, 1, 1), "cpu", 6
        ),
        queue.Queue(),
    )
    pixels = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones((4, 128, 128, 4), np.uint8)
    weights = np.array([1, 0, 2, 5], np.float32)
    handed.put((pixels, np.zeros((4, latent_buffer.CAPTIONS_EACH, 77), np.int16), weights))
    buffer.take(handed)
    latents, _ = buffer.sample(8000, torch.Generator().manual_seed(0))
    counts = ((latents[:, 0, 0, 0] + 1) * 127.5).round().long().bincount(minlength=4)
    np.testing.assert_allclose(counts / 8000, weights / 8, atol=0.02)


def test_what_is_drawn_often_weighs_little():
    names = ["cat face", "dog face", "robot", "key", "basket", "astronaut", "crown", "glasses"]
    subjects = [Subject(i, f"{i:x}", name, (), "thing") for i, name in enumerate(names)]
    sprites = np.full((len(names), len(STYLES), 192, 192, 4), 90, np.uint8)
    scenes = dataset_3.World3(subjects, sprites, shares=latent_buffer.SHARES)
    rng = np.random.default_rng(0)
    for kind, share in latent_buffer.SHARES.items():
        content = next(
            things for _ in range(50) if (things := getattr(scenes, kind)(rng)) is not None
        )
        truth = Truth("flat", *content, Ground("transparent"))
        assert latent_buffer.scene_weight(truth) * share == pytest.approx(
            latent_buffer.LEARNED_SHARES[kind]
        )
    for shares in (latent_buffer.SHARES, latent_buffer.LEARNED_SHARES):
        assert sum(shares.values()) == pytest.approx(1)


def test_blocks_are_read_ahead_in_order():
    handed = queue.Queue()
    for number in range(5):
        handed.put(number)
    read = latent_buffer.read_ahead(handed, most=2)
    assert [read.get(timeout=5) for _ in range(5)] == list(range(5))


class Net(torch.nn.Module):
    """Stands for the denoiser."""

    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Conv2d(8, 8, 1)

    def forward(self, noisy, timesteps, hidden):
        return SimpleNamespace(sample=self.inner(noisy) + timesteps[:, None, None, None] / 1000)


class Text(torch.nn.Module):
    """Stands for the text encoder."""

    def forward(self, tokens):
        return SimpleNamespace(last_hidden_state=tokens)


def test_a_lap_follows_the_loss_of_the_denoiser():
    torch.manual_seed(0)
    model = torch.nn.ModuleDict({"unet": Net(), "text": Text()})
    latents, tokens, weight = torch.randn(4096, 8, 2, 2), torch.zeros(4096, 77), torch.ones(8, 1, 1)
    scheduler = networks.build_scheduler()
    noise = lap_step.random_noise(latents, 1000, torch.Generator().manual_seed(1))
    ours = lap_step.lap_loss(model, scheduler.alphas_cumprod, latents, tokens, *noise, weight)
    theirs = denoiser.velocity_loss(
        model["unet"], model["text"], scheduler, latents, tokens, 1, weight
    )
    assert abs(ours.item() / theirs.item() - 1) < 0.03  # other noise, the same expectation


def test_a_step_of_a_lap_is_a_step_of_muon():
    torch.manual_seed(0)
    model = torch.nn.ModuleDict({"unet": Net(), "text": Text()})
    same = optim.ema_copy(model).requires_grad_(True)
    optimizer = optim.Muon(*networks.muon_groups(same), lr=0.0)
    signal, weight = networks.build_scheduler().alphas_cumprod, torch.rand(8, 1, 1)
    latents, tokens = torch.randn(64, 8, 2, 2), torch.zeros(64, 77)
    advance = lap_step.LapStep(model, signal, weight, torch.Generator().manual_seed(3))
    generator = torch.Generator().manual_seed(3)
    for rate in (0.0, 0.01, 0.02):
        noise = lap_step.random_noise(latents, 1000, generator)
        loss = lap_step.lap_loss(same, signal, latents, tokens, *noise, weight)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optim.clip_and_step(loss, same, optimizer)
        torch.testing.assert_close(advance(latents, tokens, rate), loss.detach())
    for ours, theirs in zip(model.parameters(), same.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_rate_of_a_lap_ends_at_nothing():
    assert (
        gpu_lap_training.lap_lr(0.0, 0) == gpu_lap_training.RATE / gpu_lap_training.WARMUP
        and gpu_lap_training.lap_lr(0.5, 500) == gpu_lap_training.RATE
    )
    assert gpu_lap_training.lap_lr(1.0, 500) == 0 and gpu_lap_training.lap_lr(
        0.8, 500
    ) == pytest.approx(gpu_lap_training.RATE / 2)
