"""How sure a mean is: the bootstrap over prompts, and a test of paired differences.

Pictures of one prompt are not independent of each other, so whole prompts are drawn.
Shapes: N pictures, G prompts.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000


def group_means(values: Sequence[float], groups: Sequence[str]) -> NDArray[np.float64]:
    """The mean of each group, (G,), in the order in which the groups first occur."""
    names = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    rows = np.array([names[name] for name in groups])
    sums = np.bincount(rows, np.asarray(values, np.float64), len(names))
    return sums / np.bincount(rows, minlength=len(names))


def interval(values: Sequence[float], groups: Sequence[str], seed: int = 0) -> tuple[float, float]:
    """The middle 95 % of the mean over groups, were others drawn; the mean twice for one group.

    Efron's percentile bootstrap.
    """
    means = group_means(values, groups)
    if len(means) == 1:
        return float(means[0]), float(means[0])
    rng = np.random.default_rng(seed)
    resampled = means[rng.integers(0, len(means), (RESAMPLES, len(means)))].mean(1)
    low, high = np.quantile(resampled, (0.025, 0.975))
    return float(low), float(high)


def paired_difference(differences: NDArray[np.float64]) -> dict[str, float]:
    """What a report says of differences that belong to one prompt each.

    Returns:
        {"change": their mean, "low" and "high": of its interval, "prompts": how many, "p"}.
    """
    low, high = interval(differences.tolist(), [str(number) for number in range(len(differences))])
    return {
        "change": float(differences.mean()),
        "low": low,
        "high": high,
        "prompts": len(differences),
        "p": sign_flip_p(differences),
    }


def sign_flip_p(differences: NDArray[np.float64], seed: int = 0) -> float:
    """The chance of a mean difference this far from 0 if the sign of each pair were a coin's.

    All signs are tried for at most 12 pairs, else as many as `RESAMPLES` says twice.

    Returns:
        0 to 1; 1 without a pair.
    """
    if not len(differences) or not np.any(differences):
        return 1.0
    count = len(differences)
    # Sums in another order differ in their last digits.
    least = np.abs(differences.sum()) - 1e-9 * np.abs(differences).sum()
    if count <= 12:
        signs = 1 - 2 * (np.arange(2**count)[:, None] >> np.arange(count) & 1)
        return float((np.abs(signs @ differences) >= least).mean())
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), (RESAMPLES * 2, count))
    extreme = int((np.abs(signs @ differences) >= least).sum())
    return (extreme + 1) / (len(signs) + 1)
