"""What an arm reaches between two qualities: its points, the region they dominate, and how sure a difference is.

Shapes: S subjects; P points of an arm; 2 qualities, each 0 at the untaught base and 1 for real renders, larger is better.
"""

import numpy as np
from numpy.typing import NDArray

from stickerforge.evaluation.intervals import RESAMPLES

Points = NDArray[np.float64]


def dominated(points: Points) -> float:
    """The area between (0, 0) and the points (P, 2): the hypervolume of Zitzler and Thiele (1999) in two dimensions."""
    area, height = 0.0, 0.0
    for first, second in sorted(np.maximum(points, 0).tolist(), reverse=True):
        if second > height:
            area, height = area + first * (second - height), second
    return area


def second_at(points: Points, level: float) -> float:
    """The best second quality of the points (P, 2) whose first one is `level` or more; nan where none is."""
    return max((float(second) for first, second in points if first >= level), default=float("nan"))


def lead(ours: Points, theirs: Points) -> tuple[float, float, float]:
    """(difference of the dominated areas of the mean points, 95 % interval of the bootstrap over subjects).

    Args:
        ours, theirs: (S, P, 2) each, for the same subjects.
    """
    rng = np.random.default_rng(0)

    def gap(rows: NDArray[np.int64]) -> float:
        return dominated(ours[rows].mean(0)) - dominated(theirs[rows].mean(0))

    drawn = [gap(rows) for rows in rng.integers(0, len(ours), (RESAMPLES, len(ours)))]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return gap(np.arange(len(ours))), float(low), float(high)
