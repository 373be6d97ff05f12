"""How sure a mean is: intervals over prompts, and a test of paired differences.

Pictures of one prompt are not independent of each other, so whole prompts are drawn. Shares of
prompts have Wilson's interval, other means the bootstrap's, bias-corrected and accelerated; of
fewer than `MIN_PROMPTS` none covers what it promises, so there is none.
Shapes: N pictures, G prompts.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

RESAMPLES = 2000
MIN_PROMPTS = 6
QUANTILES = np.array([0.025, 0.975])
BLOCK = 2_000_000  # prompts that are drawn at once

Interval = tuple[float, float]


def group_means(values: Sequence[float], groups: Sequence[str]) -> NDArray[np.float64]:
    """The mean of each group, (G,), in the order in which the groups first occur."""
    names = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    rows = np.array([names[name] for name in groups])
    sums = np.bincount(rows, np.asarray(values, np.float64), len(names))
    return sums / np.bincount(rows, minlength=len(names))


def interval(
    values: Sequence[float], groups: Sequence[str], *, passes: bool = False
) -> Interval | None:
    """The 95 % interval of the mean over groups.

    Args:
        passes: whether each value is 1 for what passes and 0 for what fails, or a share of such;
            Wilson's interval is taken where every group passes or fails as a whole.

    Returns:
        None for fewer than `MIN_PROMPTS` groups, and where nothing tells how they vary.
    """
    means = group_means(values, groups)
    if len(means) < MIN_PROMPTS:
        return None
    if passes and np.isin(means, (0.0, 1.0)).all():
        return wilson_interval(int(means.sum()), len(means))
    return bca_interval(means)


def wilson_interval(passed: int, count: int) -> Interval:
    """The 95 % score interval of a share (Wilson 1927)."""
    z = float(ndtri(QUANTILES[1]))
    share, weight = passed / count, z * z / count
    middle = share + weight / 2
    half = z * math.sqrt(share * (1 - share) / count + weight / (4 * count))
    low, high = ((middle + side) / (1 + weight) for side in (-half, half))
    return (0.0 if passed == 0 else low), (1.0 if passed == count else high)


def bca_interval(values: NDArray[np.float64], seed: int = 0) -> Interval | None:
    """The 95 % interval of a mean by the BCa bootstrap (Efron 1987).

    Args:
        values: independent ones, (G,).

    Returns:
        None where all are alike, as they say nothing of others then.
    """
    mean, count = values.mean(), len(values)
    # Sums in another order differ in their last digits.
    noise = 1e-9 * np.abs(values).max(initial=0)
    if count < 2 or np.ptp(values) <= noise:
        return None
    rng, block = np.random.default_rng(seed), max(1, BLOCK // count)
    means = np.concatenate(
        [
            values[rng.integers(0, count, (min(block, RESAMPLES - start), count))].mean(1)
            for start in range(0, RESAMPLES, block)
        ]
    )
    below = (means < mean - noise).mean() + (np.abs(means - mean) <= noise).mean() / 2
    bias = ndtri(np.clip(below, 0.5 / RESAMPLES, 1 - 0.5 / RESAMPLES))
    # The mean without one value lies from all of those by its own distance over (count - 1).
    apart = values - mean
    acceleration = (apart**3).sum() / (6 * (apart**2).sum() ** 1.5)
    shifted = bias + ndtri(QUANTILES)
    levels = ndtr(bias + shifted / (1 - acceleration * shifted))
    low, high = np.quantile(means, levels)
    return float(low), float(high)


def paired_difference(differences: NDArray[np.float64]) -> dict[str, float | None]:
    """What a report says of differences that belong to one prompt each.

    Returns:
        {"change": their mean, "low" and "high": of its interval, None without one, "prompts": how
        many, "p"}.
    """
    enough = len(differences) >= MIN_PROMPTS
    low, high = (bca_interval(differences) if enough else None) or (None, None)
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
