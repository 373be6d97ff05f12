"""Which picture fills each place of a batch: its timestep first, then its set, then the picture.

Everything is a function of (seed, step).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
import torch

from stickerforge.models.noise_process import NoiseProcess
from stickerforge.objectives.style_tailoring import (
    Content,
    clean_share,
    interval,
    is_content,
    log_snr,
    stratified_weight,
)
from stickerforge.runtime.seeds import derive_seed, generator

Rule = Literal["noise", "share", "halves", "content", "style"]


@dataclass(frozen=True)
class Routing:
    """Which set a place of a batch is filled from.

    Args:
        rule: "noise": by the noise level. "share": at random, with the share that "noise" gives
            content. "halves": content in the first half of the steps, then style. "content",
            "style": one set alone.
        threshold: log(SNR) that parts the noise levels.
        content: the side of the threshold on which content is learned.
        stratified: whether each set gets a fixed number of places, with weights.
    """

    rule: Rule
    threshold: float
    content: Content = "noisy"
    stratified: bool = False


@dataclass(frozen=True)
class Place:
    """One place of a batch.

    Args:
        timestep: its noise.
        content: whether it is filled from the content set.
        weight: of its loss.
        picture: number of the picture in its set; -1 before it is chosen.
    """

    timestep: int
    content: bool
    weight: float = 1.0
    picture: int = -1


class SetRouter:
    """Fills the places of every step."""

    def __init__(
        self,
        routing: Routing,
        process: NoiseProcess,
        latent_shape: Sequence[int],
        *,
        sizes: tuple[int, int],
        one_set: bool,
        batch: int,
        steps: int,
        seed: int,
    ) -> None:
        """Prepare.

        Args:
            process: the model's.
            latent_shape: (C, H, W) of a usual picture. Timesteps of all shapes are drawn as its
                are, since the timestep is drawn before the picture.
            sizes: pictures of the content set and of the style set.
            one_set: whether both are the same.
            batch: places of a step.
            steps: of the whole run.
        """
        self.routing, self.process, self.latent_shape = routing, process, latent_shape
        snr = process.snr(torch.arange(process.timesteps))
        self.log_snr = [log_snr(value) for value in snr.double().tolist()]
        self.sizes, self.one_set = sizes, one_set
        self.batch, self.steps, self.seed = batch, steps, seed
        self.clean = clean_share(self.log_snr_at, routing.threshold)
        self.drawn = (0, 0, 0)  # (steps, pictures that they took from content, from style)

    def timestep_at(self, position: float) -> int:
        """The timestep at a position in [0, 1) of their distribution function."""
        return self.process.timestep_at(position, self.latent_shape)

    def log_snr_at(self, position: float) -> float:
        """log(SNR) there."""
        return self.log_snr[self.timestep_at(position)]

    @property
    def content_share(self) -> float:
        """The share of pictures that "noise" is expected to take from content."""
        low, high = interval(self.clean, self.routing.content, of_content=True)
        return high - low

    def places(self, step: int) -> list[Place]:
        """The timesteps of a step, and from which set each place is filled."""
        randoms = [self.random("timestep", step, slot) for slot in range(self.batch)]
        if self.routing.rule == "noise" and self.routing.stratified:
            return self.stratified_places(randoms)
        # One timestep from each of equal intervals: less variance than independent ones.
        timesteps = [
            self.timestep_at((slot + own) / self.batch) for slot, own in enumerate(randoms)
        ]
        return [
            Place(timestep, self.takes_content(step, slot, timestep))
            for slot, timestep in enumerate(timesteps)
        ]

    def takes_content(self, step: int, slot: int, timestep: int) -> bool:
        """Whether a place of a plain batch is filled from the content set."""
        match self.routing.rule:
            case "noise":
                level, routing = self.log_snr[timestep], self.routing
                return is_content(level, routing.threshold, routing.content)
            case "share":
                return self.random("set", step, slot) < self.content_share
            case "halves":
                return 2 * step < self.steps
            case rule:
                return rule == "content"

    def stratified_places(self, randoms: Sequence[float]) -> list[Place]:
        """Half of the places from each set, each set's timesteps within its own interval."""
        size, places = len(randoms), []
        for of_content, slots in ((False, range(size // 2)), (True, range(size // 2, size))):
            low, high = interval(self.clean, self.routing.content, of_content=of_content)
            weight = stratified_weight(high - low, len(slots), size)
            for number, slot in enumerate(slots):
                position = low + (high - low) * (number + randoms[slot]) / len(slots)
                places.append(Place(self.timestep_at(min(position, 1 - 1e-9)), of_content, weight))
        return places

    def random(self, purpose: str, step: int, slot: int) -> float:
        """A random number of a place, in [0, 1)."""
        return float(torch.rand((), generator=generator(self.seed, purpose, step, slot)))

    def drawn_before(self, step: int) -> tuple[int, int]:
        """How many pictures the earlier steps took from content and from style."""
        done, content, style = self.drawn if self.drawn[0] <= step else (0, 0, 0)
        for earlier in range(done, step):
            own = sum(place.content for place in self.places(earlier))
            content, style = content + own, style + self.batch - own
        self.drawn = (step, content, style)
        return content, style

    def fill(self, step: int) -> list[Place]:
        """The places of a step with their pictures.

        Every set is walked through, shuffled anew in each epoch.
        """
        content, style = self.drawn_before(step)
        filled = []
        for place in self.places(step):
            number = content + style if self.one_set else content if place.content else style
            count = self.sizes[0] if place.content else self.sizes[1]
            filled.append(replace(place, picture=picture_index(self.seed, number, count)))
            content, style = content + place.content, style + (not place.content)
        return filled


@lru_cache(maxsize=8)
def epoch_order(seed: int, epoch: int, count: int) -> tuple[int, ...]:
    """The order of so many pictures in an epoch."""
    order = np.random.default_rng(derive_seed(seed, "order", epoch)).permutation(count)
    return tuple(order.tolist())


def picture_index(seed: int, number: int, count: int) -> int:
    """The picture of a set that is taken as its so manieth, from 0 on."""
    epoch, position = divmod(number, count)
    return epoch_order(seed, epoch, count)[position]
