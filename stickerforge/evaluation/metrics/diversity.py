"""How much the pictures of a set differ from each other, and whether they copy a reference.

Shapes: N pictures, D features of unit length.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stickerforge.evaluation.metrics.base import MetricInput, metric

Features = NDArray[np.floating]
NEAR = 0.985  # cosine from which two pictures count as one
ROWS = 1024  # of a matrix of all pairs that are in memory together
COPY = 0.05  # root mean square difference at 32 px below which a picture counts as a copy


@metric(
    "diversity",
    group="set",
    better="higher",
    about="mean of 1 - cosine between pictures of one prompt",
    encoded=True,
)
def diversity(data: MetricInput) -> dict[str, float]:
    """By prompt, of those that have several pictures."""
    return prompt_diversity(data.features(), data.keys)


@metric(
    "duplicates",
    group="set",
    better="lower",
    about="share of pictures that nearly repeat an earlier one",
    encoded=True,
    passes=True,
    per_image=False,
)
def duplicates(data: MetricInput) -> NDArray[np.float64] | None:
    """1 for each picture that nearly repeats an earlier one, else 0, (N,)."""
    if len(data.pictures) < 2:
        return None
    return near_duplicates(data.features()).astype(np.float64)


@metric(
    "copies",
    group="set",
    better="lower",
    about="share of pictures that are pixel-near to a reference",
    passes=True,
    per_image=False,
)
def copies(data: MetricInput) -> NDArray[np.float64] | None:
    """1 for each picture that is pixel-near to a reference of either kind, else 0, (N,)."""
    roles = [role for role in ("reference", "style_reference") if role in data.sets]
    if not roles:
        return None
    references = np.stack([item.reduced_pixels for role in roles for item in data.sets[role]])
    errors = (np.square(references - item.reduced_pixels).mean(1) for item in data.pictures)
    return np.array([float(np.sqrt(error).min() < COPY) for error in errors])


def prompt_diversity(features: Features, keys: Sequence[str]) -> dict[str, float]:
    """Mean of 1 - cosine over all pairs of pictures of one prompt, of each prompt with a pair."""
    names = np.array(keys)
    result = {}
    for name in dict.fromkeys(keys):
        own = features[names == name].astype(np.float64)
        if len(own) > 1:
            cosines = own @ own.T
            pairs = np.triu_indices(len(own), 1)
            result[name] = float(1 - cosines[pairs].mean())
    return result


def near_duplicates(features: Features, threshold: float = NEAR) -> NDArray[np.bool_]:
    """Whether an earlier picture of the set is nearly the same, (N,)."""
    result = np.zeros(len(features), bool)
    for start in range(0, len(features), ROWS):
        cosines = features[start : start + ROWS] @ features[: start + ROWS].T
        result[start : start + ROWS] = (np.tril(cosines, start - 1) >= threshold).any(1)
    return result
