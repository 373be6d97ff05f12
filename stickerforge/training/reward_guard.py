"""What a LoRA changed on prompts that it was not trained on, and whether it may be kept.

The same prompts and seeds are drawn with and without it, and compared prompt by prompt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stickerforge.data.pictures import load_picture
from stickerforge.evaluation.metrics.diversity import prompt_diversity
from stickerforge.evaluation.statistics import MIN_PROMPTS, group_means, paired_difference
from stickerforge.models.encoders import Encoder
from stickerforge.stickers.color import WHITE
from stickerforge.training.scored_pictures import ScoredSet

AT_ONCE = 16  # pictures whose features are computed together
SHOWN = 8  # pictures that fell most


@dataclass(frozen=True)
class Pair:
    """A picture before and after, of one prompt and seed.

    Args:
        change: of its score.
    """

    prompt: str
    seed: int
    change: float


@dataclass(frozen=True)
class Change:
    """How far a score changed.

    Args:
        mean: over prompts, in the unit of the score.
        low, high: ends of its 95 % interval; None of fewer than `MIN_PROMPTS` prompts.
        error: standard error of the mean.
        unit: standard deviation of the scores before; 0 where they were all alike.
        prompts: how many there are.
        worst: the pictures that fell most, the worst first.
    """

    mean: float
    low: float | None
    high: float | None
    error: float
    unit: float
    prompts: int
    worst: tuple[Pair, ...] = ()

    @property
    def in_units(self) -> float:
        """The mean in standard deviations; infinite where what was all alike changed."""
        if not self.mean:
            return 0.0
        return self.mean / self.unit if self.unit else float(np.copysign(np.inf, self.mean))

    @property
    def falls(self) -> bool:
        """Whether the whole interval lies below 0."""
        return self.high is not None and self.high < 0

    @property
    def rises(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.low is not None and self.low > 0

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        units = self.in_units
        return {
            "change": self.mean,
            "low": self.low,
            "high": self.high,
            "standard_error": self.error,
            "standard_deviations": units if np.isfinite(units) else None,
            "prompts": self.prompts,
        }


def change_of(
    differences: NDArray[np.float64], unit: float, worst: tuple[Pair, ...] = ()
) -> Change:
    """The change of a score.

    Args:
        differences: one a prompt, (G,) with G > 0.
        unit: standard deviation of the scores before.
    """
    paired = paired_difference(differences)
    mean, low, high = float(differences.mean()), paired["low"], paired["high"]
    if low is None and len(differences) >= MIN_PROMPTS:  # all differences are alike
        low = high = mean
    count = len(differences)
    error = float(differences.std(ddof=1) / np.sqrt(count)) if count > 1 else 0.0
    return Change(mean, low, high, error, unit, count, worst)


def compare(before: ScoredSet, after: ScoredSet, aspects: Sequence[str]) -> dict[str, Change]:
    """The change of every aspect, by name, of the pictures that both sets have.

    What applies to no prompt of theirs is left out.
    """
    changes = {}
    for aspect in aspects:
        first = {(one.prompt, one.seed): one.score for one in before.scores(aspect)}
        second = {(one.prompt, one.seed): one.score for one in after.scores(aspect)}
        keys = sorted(first.keys() & second.keys())
        if not keys:
            continue
        pairs = [Pair(*key, second[key] - first[key]) for key in keys]
        differences = group_means([pair.change for pair in pairs], [pair.prompt for pair in pairs])
        fallen = sorted((pair for pair in pairs if pair.change < 0), key=lambda pair: pair.change)
        unit = float(np.std([first[key] for key in keys]))
        changes[aspect] = change_of(differences, unit, tuple(fallen[:SHOWN]))
    return changes


def lowered_aspects(changes: Mapping[str, Change], own: str, loss: float) -> list[str]:
    """The aspects by which a LoRA may not be kept.

    Those that fell, their whole interval below 0: its own aspect at all, others by more than
    `loss` standard deviations.
    """
    return [
        name
        for name, change in changes.items()
        if change.falls and (name == own or change.in_units < -loss)
    ]


def diversities(pictures: ScoredSet, encoder: Encoder) -> dict[str, float]:
    """Mean of 1 - cosine between the pictures of each prompt, by prompt."""
    vectors = []
    for start in range(0, len(pictures.rows), AT_ONCE):
        rows = pictures.rows[start : start + AT_ONCE]
        loaded = [load_picture(pictures.folder / row.file_name)[1].rgba for row in rows]
        vectors.append(encoder.images([Image.fromarray(rgba) for rgba in loaded], WHITE))
    return prompt_diversity(np.concatenate(vectors), [row.prompt for row in pictures.rows])


def diversity_change(before: Mapping[str, float], after: Mapping[str, float]) -> Change | None:
    """The change of the diversity; None where no prompt has two pictures."""
    prompts = sorted(before.keys() & after.keys())
    if not prompts:
        return None
    differences = np.array([after[prompt] - before[prompt] for prompt in prompts])
    return change_of(differences, float(np.std([before[prompt] for prompt in prompts])))
