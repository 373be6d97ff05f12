"""Choosing the best of several pictures of each prompt, for a model to be trained on.

VersaT2I (arXiv:2403.18493): a threshold filters, and of a prompt the single best picture stays, so
that easy prompts do not prevail. How the threshold is found is not public; here it is a quantile of
the best scores. Nothing depends on the order in which pictures are given.

Shapes: N prompts; K pictures of each.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PictureScore:
    """What one aspect gives one picture.

    Args:
        seed: that it was drawn from: it tells the pictures of a prompt apart.
    """

    prompt: str
    seed: int
    score: float


@dataclass(frozen=True)
class Selection:
    """The pictures that are trained on.

    Args:
        chosen: at most one of a prompt, by prompt.
        threshold: the least score that was let pass.
        prompts: how many there were to choose from.
    """

    chosen: list[PictureScore]
    threshold: float
    prompts: int

    @property
    def keys(self) -> set[tuple[str, int]]:
        """Prompt and seed of each."""
        return {(picture.prompt, picture.seed) for picture in self.chosen}


def scores_by_prompt(pictures: Iterable[PictureScore]) -> dict[str, list[PictureScore]]:
    """The pictures of each prompt, by prompt and seed."""
    ordered = sorted(pictures, key=lambda picture: (picture.prompt, picture.seed))
    groups: dict[str, list[PictureScore]] = {}
    for picture in ordered:
        groups.setdefault(picture.prompt, []).append(picture)
    return groups


def best_of_prompts(pictures: Iterable[PictureScore]) -> list[PictureScore]:
    """The best picture of each prompt, by prompt; of equal ones that of the least seed."""
    return [
        max(group, key=lambda picture: (picture.score, -picture.seed))
        for group in scores_by_prompt(pictures).values()
    ]


def select(
    pictures: Iterable[PictureScore], *, quantile: float, least: float | None = None
) -> Selection:
    """The best picture of each prompt whose score is at least the threshold.

    Args:
        quantile: of the best scores, 0 to 1: the threshold; 0 lets all prompts pass.
        least: the threshold itself, in place of a quantile.
    """
    best = best_of_prompts(pictures)
    if least is None:
        scores = [picture.score for picture in best]
        least = float(np.quantile(scores, quantile)) if scores else 0.0
    chosen = [picture for picture in best if picture.score >= least]
    return Selection(chosen, least, len(best))


def best_of_k_curve(pictures: Iterable[PictureScore]) -> list[float]:
    """The mean over prompts of the best score of k pictures, k from 1 to the fewest of a prompt.

    The last value less the first is what one round of training on the best can teach at most.
    """
    groups = [
        np.sort(np.array([picture.score for picture in group]))
        for group in scores_by_prompt(pictures).values()
    ]
    most = min(map(len, groups), default=0)
    return [
        float(np.mean([expected_best(scores, k) for scores in groups])) for k in range(1, most + 1)
    ]


def expected_best(scores: NDArray[np.float64], k: int) -> float:
    """The expected best of k scores that are drawn without putting back.

    Args:
        scores: ascending, (K,) with K >= k.
    """
    count = len(scores)
    # The i-th is the best of those subsets whose others are all among the i below it.
    weights = np.array([comb(i, k - 1) for i in range(count)], np.float64) / comb(count, k)
    return float(weights @ scores)


def overlap(first: Selection, second: Selection) -> float:
    """Jaccard's index of two selections of pictures, 0 to 1; little of it predicts a conflict."""
    both = first.keys | second.keys
    return len(first.keys & second.keys) / len(both) if both else 0.0


def pairs_of(names: Sequence[str]) -> list[tuple[str, str]]:
    """Every pair of different names."""
    return [(one, other) for at, one in enumerate(names) for other in names[at + 1 :]]
