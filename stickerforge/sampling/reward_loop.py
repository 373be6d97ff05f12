"""From noise to latents with the gradient of a few steps, for the training by a reward.

The input of the network is detached, the steps are not, which are linear in its predictions: each
of the steps that are chosen gets the gradient of the result, times a number (DRTune,
arXiv:2405.00760; LongAlign, arXiv:2410.11817). Over all offsets of the choice the gradients add up
to that of all steps.

Shapes: B images; C, H, W latent channels, rows, columns.
"""

from collections.abc import Callable, Collection
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from stickerforge.sampling.guidance import Guidance, Predict


class Process(Protocol):
    """What is used of the noise process of a model."""

    def levels(self, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        """(a, s) of noisy latents = a latents + s noise, both of the shape of the timesteps."""

    def split(self, noisy: Tensor, prediction: Tensor, timestep: Tensor) -> tuple[Tensor, Tensor]:
        """(latents, noise), both (B, C, H, W), that a prediction for noisy latents means.

        Args:
            timestep: ().
        """


def sampling_timesteps(timesteps: int, steps: int) -> list[int]:
    """The whole timesteps of so many steps, from the last of a process: 999, 979, ..., 19.

    Args:
        timesteps: of the process.
        steps: 1 to `timesteps`.

    Raises:
        ValueError: there are not so many.
    """
    if not 1 <= steps <= timesteps:
        raise ValueError(f"{steps} steps of a process of {timesteps}")
    return [round(timesteps - step * timesteps / steps) - 1 for step in range(steps)]


def gradient_steps(steps: int, every: int, offset: int) -> list[int]:
    """The numbers of the steps that get a gradient: each `every`-th from `offset` on.

    Args:
        offset: 0 to `every` - 1.

    Raises:
        ValueError: it is another one.
    """
    if not 0 <= offset < every:
        raise ValueError(f"offset {offset} of every {every} steps")
    return list(range(offset, steps, every))


def sample_with_gradients(
    predict: Predict,
    guidance: Guidance,
    noise: Tensor,
    process: Process,
    timesteps: Tensor,
    gradient_steps: Collection[int],
    *,
    on_step: Callable[[], None] = lambda: None,
) -> Tensor:
    """The latents (B, C, H, W) that the prediction of the last step means.

    DDIM without noise (arXiv:2010.02502, Equation 12), which on a flow is Euler's method. `predict`
    runs once more for each of the gradient steps on the way back, so whatever it depends on (active
    adapters, say) has to be the same then.

    Args:
        noise: standard normal, (B, C, H, W).
        guidance: turns predictions into that of a step; holds the encoded prompts, B of them.
        process: what the model was trained for.
        timesteps: (steps,), falling, in the units of `predict`.
        gradient_steps: numbers of the steps, from 0, whose predictions get a gradient.
        on_step: called after each step.
    """
    steps = len(timesteps)
    signals, spreads = process.levels(timesteps)
    noisy = latents = noise
    for step, timestep in enumerate(timesteps):

        def guided(detached: Tensor, timestep: Tensor = timestep, step: int = step) -> Tensor:
            return guidance(predict, detached, timestep, step, steps)

        if step in gradient_steps:
            prediction: Tensor = checkpoint(guided, noisy.detach(), use_reentrant=False)
        else:
            with torch.no_grad():
                prediction = guided(noisy.detach())
        latents, noise = process.split(noisy, prediction.to(noisy.dtype), timestep)
        if step + 1 < steps:
            noisy = signals[step + 1] * latents + spreads[step + 1] * noise
        on_step()
    return latents
