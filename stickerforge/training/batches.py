"""References as training examples, and which of them a step sees: a function of (seed, step), of nothing else.

Shapes: B pictures; C, H, W latent channels, rows, columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stickerforge.data.captions import Caption
from stickerforge.models.families.base import DiffusionModel
from stickerforge.runtime.seeds import derive_seed, generator


@dataclass(frozen=True)
class TrainingExample:
    """One reference, encoded once.

    Args:
        mean, deviation: of its latents, (C, H, W) each, so that every step can still draw from the posterior.
        frame: height and width of the original, top and left of the crop, height and width of the crop.
        weight: how much each place of the latents counts, (H, W); None for all alike.
    """

    name: str
    caption: Caption
    mean: Tensor
    deviation: Tensor
    frame: tuple[int, ...]
    weight: Tensor | None = None


@dataclass(frozen=True)
class Batch:
    """What one step sees.

    Args:
        latents: drawn from the posterior of each example, (B, C, H, W).
        noise: (B, C, H, W).
        timesteps: (B,), whole numbers.
        numbers: of the example and of its draw, where draws are kept; else empty.
    """

    examples: list[TrainingExample]
    latents: Tensor
    noise: Tensor
    timesteps: Tensor
    numbers: tuple[tuple[int, int], ...] = ()

    def frames(self) -> Tensor:
        """(B, 6)."""
        return torch.tensor(
            [example.frame for example in self.examples], device=self.latents.device
        )

    def weight(self) -> Tensor | None:
        """How much each place counts, (B, H, W); None where all count alike."""
        if all(example.weight is None for example in self.examples):
            return None
        everywhere = torch.ones(self.latents.shape[2:])
        found = [
            everywhere if example.weight is None else example.weight for example in self.examples
        ]
        return torch.stack(found).to(self.latents.device)

    def picked(self, rows: Sequence[int]) -> "Batch":
        """These rows alone."""
        at, numbers = list(rows), tuple(self.numbers[row] for row in rows) if self.numbers else ()
        return Batch(
            [self.examples[row] for row in at],
            self.latents[at],
            self.noise[at],
            self.timesteps[at],
            numbers,
        )


def sample_batch(
    examples: Sequence[TrainingExample],
    family: DiffusionModel,
    *,
    seed: int,
    step: int,
    batch: int,
    offset_noise: float,
    draws: int = 0,
) -> Batch:
    """The examples, noise and timesteps of a step.

    Args:
        offset_noise: deviation of a shift that a whole channel of the noise shares; keeps plain grounds plain.
        draws: how many noises and timesteps an example has; 0 for new ones in every step.
    """
    chosen = batch_indices(examples, seed, step, batch)
    numbers = (
        tuple(
            (index, cached_noise_index(draws, seed, step, slot, batch))
            for slot, index in enumerate(chosen)
        )
        if draws
        else ()
    )
    latents, noises, positions = [], [], []
    for slot, index in enumerate(chosen):
        example = examples[index]
        random = (
            generator(seed, "draw", *numbers[slot])
            if draws
            else generator(seed, "step", step, slot)
        )
        latents.append(
            example.mean + example.deviation * torch.randn(example.mean.shape, generator=random)
        )
        noise = torch.randn(example.mean.shape, generator=random)
        shift = torch.randn((len(noise), 1, 1), generator=random)
        noises.append(noise + offset_noise * shift)
        # One timestep from each of as many equal intervals: less variance than independent draws.
        interval, intervals = (numbers[slot][1], draws) if draws else (slot, batch)
        position = (interval + float(torch.rand((), generator=random))) / intervals
        positions.append(position)
    device, seen = family.device, [examples[index] for index in chosen]
    return Batch(
        seen,
        torch.stack(latents).to(device),
        torch.stack(noises).to(device),
        family.noise_process.sample_timesteps(positions, latents[0].shape).to(device),
        numbers,
    )


def cached_noise_index(draws: int, seed: int, step: int, slot: int, batch: int) -> int:
    """Which of an example's kept draws a slot of a step takes: one from its share of the timesteps."""
    low, high = slot * draws // batch, max((slot + 1) * draws // batch, slot * draws // batch + 1)
    return int(np.random.default_rng(derive_seed(seed, "number", step, slot)).integers(low, high))


def batch_indices(
    examples: Sequence[TrainingExample], seed: int, step: int, batch: int
) -> list[int]:
    """Which examples a step sees, all of one size.

    The first of each step walks through all of them, shuffled anew each round, so none is left out; the
    others are drawn from those of its size.
    """
    count = len(examples)
    rounds, position = divmod(step, count)
    first = int(
        np.random.default_rng(derive_seed(seed, "order", rounds)).permutation(count)[position]
    )
    mates = [
        index
        for index, example in enumerate(examples)
        if example.mean.shape == examples[first].mean.shape
    ]
    rng = np.random.default_rng(derive_seed(seed, "mates", step))
    others = [mates[i] for i in rng.permutation(len(mates))]
    filled = [first, *(index for index in others if index != first)]
    while len(filled) < batch:
        filled += [mates[i] for i in rng.permutation(len(mates))]
    order = rng.permutation(
        batch
    )  # the slots are strata of the timesteps, so none may favour the first
    return [filled[i] for i in order]
