"""The reward for style, and the states that it is given to."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from examples.recipes.mini import (
    networks,
    reward,
    rollouts,
    style_reward,
)
from examples.recipes.mini.settings import STYLES


def test_the_reward_reads_a_style_as_the_judge_does_and_leads_it():
    from stickerforge.models.judge.model import load_judge
    from stickerforge.models.judge.network import drawing_features

    rng = np.random.default_rng(6)
    pictures, solid = (
        torch.from_numpy(rng.random((3, 3, 64, 64), np.float32)),
        torch.from_numpy(rng.random((3, 64, 64)) < 0.7),
    )
    pictures[0] = 0.5  # one colour: most of the palette is empty, where a root has no slope
    exact, soft = drawing_features(pictures, solid), style_reward.soft_features(pictures, solid)
    assert (exact - soft).abs().max() <= 8 * style_reward.ROOT_EPSILON**0.5 and torch.equal(
        exact[:, 512:], soft[:, 512:]
    )

    reader, judge = style_reward.StyleReward(), load_judge("second")
    decoded = torch.rand((4, 4, 128, 128), generator=torch.Generator().manual_seed(0)) * 0.5
    decoded[:, 3] = 1.0
    decoded.requires_grad_()
    wanted = torch.arange(4)
    optimizer = torch.optim.Adam([decoded], lr=0.02)

    def said_by_the_judge() -> torch.Tensor:
        small = torch.nn.functional.interpolate(
            (decoded.detach() + 1) / 2, size=64, mode="bicubic", antialias=True
        ).clamp(0, 1)
        read = judge.network.style(drawing_features(small[:, :3], small[:, 3] > 0.95)).log_softmax(
            1
        )
        return read[wanted, [judge.styles.index(style) for style in STYLES]]

    before = said_by_the_judge()
    for _ in range(15):
        loss = torch.nn.functional.cross_entropy(reader.logits(reader.features(decoded)), wanted)
        optimizer.zero_grad()
        loss.backward()
        assert decoded.grad.isfinite().all()
        optimizer.step()
    assert before[:3].max() < -3 and said_by_the_judge().min() > -0.2


def test_states_that_the_denoiser_reaches_are_to_lead_to_the_drawing():
    scheduler, generator = networks.build_scheduler(), torch.Generator().manual_seed(1)
    drawing, noise = (torch.randn((8, 16, 16), generator=generator) for _ in range(2))
    timestep = torch.tensor([500])
    noisy = scheduler.add_noise(drawing[None], noise[None], timestep)[0]
    velocity = scheduler.get_velocity(drawing[None], noise[None], timestep)
    reader = style_reward.StyleReward()
    decoded = torch.rand((1, 4, 128, 128), generator=generator).repeat(2, 1, 1, 1)
    decoded[:, 3] = 1
    looks = reader.features(decoded[:1])[0]

    def loss_of(velocity: torch.Tensor, latents: torch.Tensor) -> tuple[float, float]:
        prompt = rollouts.Prompt("a cat, in flat style", 3, latents, looks)
        state = rollouts.State(noisy, velocity[0], 500, 2.0, torch.zeros(77, 192), prompt)
        unet, decode = (
            (lambda *inputs: SimpleNamespace(sample=velocity.expand(2, -1, -1, -1))),
            lambda _: SimpleNamespace(sample=decoded),
        )
        _, metrics = reward.reward_loss(
            unet, decode, scheduler, reader, [state, state], torch.ones(8, 1, 1)
        )
        assert metrics["match"] < 1e-9, "the decoder gives the very picture"
        return metrics["reach"], metrics["near"]

    assert loss_of(velocity, drawing)[0] < 1e-8
    off, signal = 0.3, float(scheduler.alphas_cumprod[500])
    assert loss_of(velocity + off, drawing)[0] == pytest.approx((1 - signal) * off**2, rel=1e-4)
    assert loss_of(velocity, drawing.flip(1)) == (0.0, 0.0), (
        "it shows another drawing, which is not mended pixel by pixel"
    )
    assert loss_of(velocity, torch.zeros(8, 16, 16)) == (0.0, 0.0), "nobody drew it"
