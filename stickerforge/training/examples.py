"""References as training examples, and which of them a step sees: a function of (seed, step), of nothing else.

Shapes: B pictures; C, H, W latent channels, rows, columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stickerforge.data.captions import Caption
from stickerforge.models.family import Family
from stickerforge.runtime.seeds import derived_seed, generator


@dataclass(frozen=True)
class Example:
    """One reference, encoded once.

    Args:
        mean, deviation: of its latents, (C, H, W) each, so that every step can still draw from the posterior.
        frame: height and width of the original, top and left of the crop, height and width of the crop.
    """

    name: str
    caption: Caption
    mean: Tensor
    deviation: Tensor
    frame: tuple[int, ...]


@dataclass(frozen=True)
class Draw:
    """What one step sees.

    Args:
        latents: drawn from the posterior of each example, (B, C, H, W).
        noise: (B, C, H, W).
        timesteps: (B,), whole numbers.
    """

    examples: list[Example]
    latents: Tensor
    noise: Tensor
    timesteps: Tensor

    def frames(self) -> Tensor:
        """(B, 6)."""
        return torch.tensor([example.frame for example in self.examples], device=self.latents.device)


def drawn(examples: Sequence[Example], family: Family, *, seed: int, step: int, batch: int, offset_noise: float) -> Draw:
    """The examples, noise and timesteps of a step.

    Args:
        offset_noise: deviation of a shift that a whole channel of the noise shares; keeps plain grounds plain.
    """
    chosen = [examples[index] for index in chosen_indices(examples, seed, step, batch)]
    latents, noises, timesteps = [], [], []
    for slot, example in enumerate(chosen):
        random = generator(seed, "step", step, slot)
        latents.append(example.mean + example.deviation * torch.randn(example.mean.shape, generator=random))
        noise = torch.randn(example.mean.shape, generator=random)
        shift = torch.randn((len(noise), 1, 1), generator=random)
        noises.append(noise + offset_noise * shift)
        # One timestep from each of B equal intervals: less variance than independent draws.
        position = (slot + float(torch.rand((), generator=random))) / batch
        timesteps.append(min(int(position * family.timesteps), family.timesteps - 1))
    device = family.device
    return Draw(chosen, torch.stack(latents).to(device), torch.stack(noises).to(device), torch.tensor(timesteps, device=device))


def chosen_indices(examples: Sequence[Example], seed: int, step: int, batch: int) -> list[int]:
    """Which examples a step sees, all of one size.

    The first of each step walks through all of them, shuffled anew each round, so none is left out; the
    others are drawn from those of its size.
    """
    count = len(examples)
    rounds, position = divmod(step, count)
    first = int(np.random.default_rng(derived_seed(seed, "order", rounds)).permutation(count)[position])
    mates = [index for index, example in enumerate(examples) if example.mean.shape == examples[first].mean.shape]
    rng = np.random.default_rng(derived_seed(seed, "mates", step))
    others = [mates[i] for i in rng.permutation(len(mates))]
    filled = [first, *(index for index in others if index != first)]
    while len(filled) < batch:
        filled += [mates[i] for i in rng.permutation(len(mates))]
    order = rng.permutation(batch)  # the slots are strata of the timesteps, so none may favour the first
    return [filled[i] for i in order]
