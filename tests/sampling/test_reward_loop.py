"""Sampling with the gradient of a few steps, against diffusers and against full backpropagation."""

import pytest
import torch
from diffusers import DDIMScheduler

from stickerforge.models.noise_process import Ddpm, RectifiedFlow
from stickerforge.sampling.conditioning import Conditioning
from stickerforge.sampling.guidance import ClassifierFree, NoGuidance
from stickerforge.sampling.reward_loop import (
    gradient_steps,
    sample_with_gradients,
    sampling_timesteps,
)

CPU = torch.device("cpu")
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
FLOW = {"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}
PREDICTIONS = ["epsilon", "v_prediction", "sample", "flow"]


def process_of(prediction):
    if prediction == "flow":
        return RectifiedFlow(FLOW, CPU, "tiny")
    return Ddpm({"_class_name": "DDIMScheduler", "prediction_type": prediction} | BETAS, CPU)


class Network(torch.nn.Module):
    """A tiny network in float64 that counts its calls, and how many of them have a gradient."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.inner = torch.nn.Conv2d(3, 5, 3, padding=1).double()
        self.out = torch.nn.Conv2d(5, 2, 3, padding=1).double()
        self.rows, self.with_gradient = [], []

    def forward(self, noisy, timestep, text):
        time = (timestep.double() / 1000).expand(len(noisy), 1, *noisy.shape[2:])
        hidden = torch.tanh(self.inner(torch.cat([noisy, time], 1)) + text["hidden"][:, :, None])
        made = self.out(hidden)
        self.rows.append(len(noisy))
        self.with_gradient.append(made.requires_grad)
        return made


def text(seed):
    random = torch.Generator().manual_seed(seed)
    return Conditioning({"hidden": torch.randn(2, 5, 1, generator=random, dtype=torch.float64)})


NOISE = torch.randn(2, 2, 4, 4, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
GUIDANCE = ClassifierFree(text(1), text(2), 2.0, rescale=0.3)


def reward(latents):
    return (torch.sin(latents) ** 2).mean()


def gradient(prediction, steps, chosen):
    network, process = Network(), process_of(prediction)
    timesteps = process.gradient_timesteps(steps, (2, 4, 4))
    made = sample_with_gradients(network, GUIDANCE, NOISE, process, timesteps, chosen)
    reward(made).backward()
    return made.detach(), torch.cat([p.grad.flatten() for p in network.parameters()])


def test_the_grid_is_that_of_the_paper():
    assert sampling_timesteps(1000, 50) == list(range(999, 0, -20))
    assert sampling_timesteps(1000, 4) == [999, 749, 499, 249]
    assert sampling_timesteps(1000, 30)[:3] == [999, 966, 932]
    assert sampling_timesteps(10, 10)[-1] == 0
    with pytest.raises(ValueError, match="1001 steps"):
        sampling_timesteps(1000, 1001)


def test_exactly_five_of_fifty_steps_have_a_gradient():
    assert all(len(gradient_steps(50, 10, offset)) == 5 for offset in range(10))
    assert gradient_steps(50, 10, 3) == [3, 13, 23, 33, 43]
    every = sorted(step for offset in range(10) for step in gradient_steps(50, 10, offset))
    assert every == list(range(50))
    with pytest.raises(ValueError, match="offset 10"):
        gradient_steps(50, 10, 10)
    network, process, ended = Network(), process_of("epsilon"), []
    made = sample_with_gradients(
        network,
        GUIDANCE,
        NOISE,
        process,
        process.gradient_timesteps(50, (2, 4, 4)),
        gradient_steps(50, 10, 3),
        on_step=lambda: ended.append(1),
    )
    assert made.requires_grad and len(ended) == 50
    assert network.rows == [4] * 50  # prompts and negative prompts in one pass
    assert [i for i, has in enumerate(network.with_gradient) if has] == [3, 13, 23, 33, 43]


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_gradients_of_the_ten_offsets_add_up_to_the_full_one(prediction):
    latents, full = full_gradient(prediction, 50)
    total = torch.zeros_like(full)
    for offset in range(10):
        made, part = gradient(prediction, 50, gradient_steps(50, 10, offset))
        torch.testing.assert_close(made, latents, rtol=0, atol=1e-10)
        assert part.abs().max() > 0
        total += part
    assert (total - full).abs().max() < 1e-10
    assert (gradient(prediction, 50, range(50))[1] - full).abs().max() < 1e-10


def full_gradient(prediction, steps):
    """All steps in one graph without checkpoints, with formulas of this test."""
    network, process = Network(), process_of(prediction)
    timesteps = process.gradient_timesteps(steps, (2, 4, 4))
    x = NOISE
    for step, timestep in enumerate(timesteps):
        output = GUIDANCE(network, x.detach(), timestep, step, steps)
        (a, s), (later_a, later_s) = (
            levels(process, t) for t in (timestep, timesteps[min(step + 1, steps - 1)])
        )
        if prediction == "epsilon":
            latents, noise = (x - s * output) / a, output
        elif prediction in ("v_prediction", "sample"):
            v = (a * x.detach() - output) / s if prediction == "sample" else output
            latents, noise = a * x - s * v, s * x + a * v
        else:
            latents, noise = x - s * output, x + (1 - s) * output
        x = later_a * latents + later_s * noise
    reward(latents).backward()
    return latents.detach(), torch.cat([p.grad.flatten() for p in network.parameters()])


def levels(process, timestep):
    if isinstance(process, RectifiedFlow):
        return 1 - timestep / 1000, timestep / 1000
    signal = process.schedule.alphas_cumprod[timestep]
    return signal.sqrt(), (1 - signal).sqrt()


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_it_draws_what_the_scheduler_of_diffusers_draws(prediction):
    network, process = Network(), process_of(prediction)
    scheduler = DDIMScheduler(
        **BETAS,
        prediction_type=prediction,
        clip_sample=False,
        set_alpha_to_one=True,
        timestep_spacing="trailing",
    )
    scheduler.set_timesteps(50)
    timesteps = process.gradient_timesteps(50, (2, 4, 4))
    assert scheduler.timesteps.tolist() == timesteps.tolist()
    expected = NOISE
    with torch.no_grad():
        for step, t in enumerate(scheduler.timesteps):
            output = GUIDANCE(network, expected, t, step, 50)
            expected = scheduler.step(output, t, expected, eta=0.0, return_dict=False)[0]
    made = sample_with_gradients(network, GUIDANCE, NOISE, process, timesteps, [5])
    torch.testing.assert_close(made, expected, rtol=1e-5, atol=1e-5)


def test_on_a_flow_a_step_is_one_of_euler():
    network, process = Network(), process_of("flow")
    scheduler = process.scheduler("model", 20, (2, 4, 4))
    assert torch.equal(process.gradient_timesteps(20, (2, 4, 4)), scheduler.timesteps)
    expected = NOISE
    guidance = NoGuidance(text(1))
    with torch.no_grad():
        for step, t in enumerate(scheduler.timesteps):
            output = guidance(network, expected, t, step, 20)
            expected = scheduler.step(output, t, expected, return_dict=False)[0]
    made = sample_with_gradients(network, guidance, NOISE, process, scheduler.timesteps, [0, 19])
    torch.testing.assert_close(made, expected.double(), rtol=1e-4, atol=1e-4)


def test_without_gradient_steps_there_is_no_gradient():
    network, process = Network(), process_of("epsilon")
    timesteps = process.gradient_timesteps(4, (2, 4, 4))
    made = sample_with_gradients(network, GUIDANCE, NOISE, process, timesteps, [])
    assert not made.requires_grad


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_a_process_takes_its_own_target_apart_again(prediction):
    process = process_of(prediction)
    random = torch.Generator().manual_seed(3)
    latents, noise = (torch.randn(1, 2, 4, 4, generator=random) for _ in range(2))
    for t in (1, 400, 990):
        timesteps = torch.tensor([t])
        noisy = process.add_noise(latents, noise, timesteps)
        a, s = process.levels(timesteps)
        torch.testing.assert_close(noisy, a * latents + s * noise)
        apart = process.split(noisy, process.target(latents, noise, timesteps), timesteps[0])
        torch.testing.assert_close(apart, (latents, noise), rtol=1e-3, atol=1e-3)
