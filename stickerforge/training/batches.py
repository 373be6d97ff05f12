"""Training examples, and the batch of a step: a function of (seed, step) and of nothing else.

Shapes: B examples; C, H, W latent channels, rows, columns.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stickerforge.data.captions import Caption
from stickerforge.runtime.seeds import derive_seed, generator

# As `NoiseProcess.timestep_at`: from a position in [0, 1) and the latents' (C, H, W) to a timestep.
TimestepAt = Callable[[float, Sequence[int]], int]


@dataclass(frozen=True)
class TrainingExample:
    """One picture with its caption, encoded once.

    Args:
        mean: of its latents, (C, H, W).
        deviation: standard deviation of its latents, (C, H, W); every step samples anew.
        frame: height and width of the original, top and left of the crop, height and width of the
            crop, in pixels.
        mask: loss weight of each place of the latents, (H, W), at least 0; None for all alike.
    """

    name: str
    caption: Caption
    mean: Tensor
    deviation: Tensor
    frame: tuple[int, ...]
    mask: Tensor | None = None


@dataclass(frozen=True)
class Batch:
    """The examples of one step with their noise.

    Args:
        latents: a sample of each example's latents, (B, C, H, W).
        noise: (B, C, H, W).
        timesteps: (B,), integers.
        noise_indices: (example, cached noise) of each row; empty where noise is not cached.
    """

    examples: list[TrainingExample]
    latents: Tensor
    noise: Tensor
    timesteps: Tensor
    noise_indices: tuple[tuple[int, int], ...] = ()

    def frames(self) -> Tensor:
        """The frames of the examples, (B, 6)."""
        frames = [example.frame for example in self.examples]
        return torch.tensor(frames, device=self.latents.device)

    def masks(self) -> Tensor | None:
        """The loss masks of the examples, (B, H, W); None where no example has one."""
        if all(example.mask is None for example in self.examples):
            return None
        ones = torch.ones(self.latents.shape[2:])
        masks = [ones if example.mask is None else example.mask for example in self.examples]
        return torch.stack(masks).to(self.latents.device)

    def select(self, rows: Sequence[int]) -> "Batch":
        """The batch of these rows alone."""
        rows = list(rows)
        return Batch(
            [self.examples[row] for row in rows],
            self.latents[rows],
            self.noise[rows],
            self.timesteps[rows],
            tuple(self.noise_indices[row] for row in rows) if self.noise_indices else (),
        )

    def to(self, device: torch.device) -> "Batch":
        """The batch with its tensors on a device."""
        return Batch(
            self.examples,
            self.latents.to(device),
            self.noise.to(device),
            self.timesteps.to(device),
            self.noise_indices,
        )


def sample_batch(
    examples: Sequence[TrainingExample],
    timestep_at: TimestepAt,
    *,
    seed: int,
    step: int,
    size: int,
    offset_noise: float,
    cached_noise: int = 0,
) -> Batch:
    """Sample the examples, latents, noise and timesteps of a step, on the CPU.

    Args:
        offset_noise: standard deviation of a shift that a whole channel of the noise shares; it
            keeps plain backgrounds plain.
        cached_noise: how many noises and timesteps an example has; 0 for new ones in every step.
    """
    indices = batch_indices(examples, seed, step, size)
    noise_indices: tuple[tuple[int, int], ...] = ()
    if cached_noise:
        noise_indices = tuple(
            (index, cached_noise_index(cached_noise, seed, step, slot, size))
            for slot, index in enumerate(indices)
        )
    latents, noises, timesteps = [], [], []
    for slot, index in enumerate(indices):
        if cached_noise:
            random = generator(seed, "draw", *noise_indices[slot])
            interval, intervals = noise_indices[slot][1], cached_noise
        else:
            random = generator(seed, "step", step, slot)
            interval, intervals = slot, size
        mean, deviation = examples[index].mean, examples[index].deviation
        latents.append(mean + deviation * torch.randn(mean.shape, generator=random))
        noise = torch.randn(mean.shape, generator=random)
        shift = torch.randn((len(noise), 1, 1), generator=random)
        noises.append(noise + offset_noise * shift)
        # One timestep from each of equal intervals: less variance than independent ones.
        position = (interval + float(torch.rand((), generator=random))) / intervals
        timesteps.append(timestep_at(position, mean.shape))
    return Batch(
        [examples[index] for index in indices],
        torch.stack(latents),
        torch.stack(noises),
        torch.tensor(timesteps),
        noise_indices,
    )


def cached_noise_index(count: int, seed: int, step: int, slot: int, size: int) -> int:
    """Which of an example's `count` noises a slot takes: one from the slot's share of timesteps."""
    low = slot * count // size
    high = max((slot + 1) * count // size, low + 1)
    return int(np.random.default_rng(derive_seed(seed, "number", step, slot)).integers(low, high))


def batch_indices(
    examples: Sequence[TrainingExample], seed: int, step: int, size: int
) -> list[int]:
    """Which examples a step trains on, all of one shape.

    One of each step walks through all examples, shuffled anew each epoch, so that none is left out;
    the others are random ones of its shape.
    """
    epoch, position = divmod(step, len(examples))
    order = np.random.default_rng(derive_seed(seed, "order", epoch)).permutation(len(examples))
    first = int(order[position])
    shape = examples[first].mean.shape
    same_shape = [index for index, example in enumerate(examples) if example.mean.shape == shape]
    rng = np.random.default_rng(derive_seed(seed, "mates", step))
    others = [same_shape[i] for i in rng.permutation(len(same_shape))]
    indices = [first, *(index for index in others if index != first)]
    while len(indices) < size:
        indices += [same_shape[i] for i in rng.permutation(len(same_shape))]
    # The slots are strata of the timesteps, so none may favour the first.
    return [indices[i] for i in rng.permutation(size)]
