"""The points that an arm reaches between two qualities, the region they dominate, and differences.

Shapes: S subjects; P points of an arm; 2 qualities, each 0 at the untaught base and 1 for real
renders, larger is better.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stickerforge.evaluation.statistics import MIN_PROMPTS, RESAMPLES

Points = NDArray[np.float64]


def dominated_area(points: Points) -> float:
    """The area between (0, 0) and the points (P, 2).

    The hypervolume of Zitzler and Thiele (1999) in two dimensions.
    """
    area, height = 0.0, 0.0
    for first, second in sorted(np.maximum(points, 0).tolist(), reverse=True):
        if second > height:
            area, height = area + first * (second - height), second
    return area


def second_at(points: Points, level: float) -> float:
    """The best second quality of the points (P, 2) whose first one is `level` or more.

    Nan where none is.
    """
    return max((float(second) for first, second in points if first >= level), default=float("nan"))


def lead(ours: Points, theirs: Points) -> tuple[float, float, float]:
    """(difference of the dominated areas of the mean points, 95 % interval of the bootstrap over
    subjects).

    Args:
        ours, theirs: (S, P, 2) each, for the same subjects.
    """
    return interval(
        len(ours),
        lambda rows: dominated_area(ours[rows].mean(0)) - dominated_area(theirs[rows].mean(0)),
    )


def lead_at(ours: Points, theirs: Points, level: float) -> tuple[float, float, float]:
    """The same for the best second quality where the first is `level` or more.

    Not numbers where an arm does not get there.
    """
    return interval(
        len(ours),
        lambda rows: second_at(ours[rows].mean(0), level) - second_at(theirs[rows].mean(0), level),
    )


def interval(
    subjects: int, gap: Callable[[NDArray[np.int64]], float]
) -> tuple[float, float, float]:
    """(a figure of all subjects, 95 % interval of its bootstrap over them).

    Not numbers where one in twenty draws has none, or where subjects are few.
    """
    rng = np.random.default_rng(0)
    gaps = np.array([gap(rows) for rows in rng.integers(0, subjects, (RESAMPLES, subjects))])
    if np.isnan(gaps).mean() > 0.05 or subjects < MIN_PROMPTS:
        return float("nan"), float("nan"), float("nan")
    low, high = np.nanquantile(gaps, (0.025, 0.975))
    return gap(np.arange(subjects)), float(low), float(high)
