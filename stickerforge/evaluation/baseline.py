"""Paired differences between a set of pictures and its baseline, prompt by prompt.

Shapes: N pictures, M of the baseline, G prompts that both have.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stickerforge.evaluation.statistics import paired_difference

Values = NDArray[np.float64]


def compare_to_baseline(
    values: Values,
    keys: Sequence[str],
    baseline_values: Values,
    baseline_keys: Sequence[str],
    shared: Sequence[str],
) -> dict[str, float | None] | None:
    """Differences to the baseline; None where no prompt has a value on both sides.

    Args:
        values: of each picture, (N,), NaN where one has none.
        keys: the prompt of each picture.
        baseline_values, baseline_keys: the same of the baseline, (M,).
        shared: the prompts that both have.

    Returns:
        See `statistics.paired_difference`.
    """
    ours = prompt_means(values, keys, shared)
    change = ours - prompt_means(baseline_values, baseline_keys, shared)
    change = change[~np.isnan(change)]
    return paired_difference(change) if len(change) else None


def prompt_means(values: Values, keys: Sequence[str], prompts: Sequence[str]) -> Values:
    """The mean over the pictures of each prompt that have a value, (G,), NaN where none has."""
    rows = np.array(keys)
    means = []
    for key in prompts:
        own = values[rows == key]
        known = own[~np.isnan(own)]
        means.append(float(np.mean(known)) if len(known) else np.nan)
    return np.array(means)
