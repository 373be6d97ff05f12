"""How alike pictures are to references and to a baseline, from unit features.

Shapes: N pictures, M references, G prompts, D features, all of unit length.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stickerforge.evaluation.metrics.base import MetricInput, metric

Features = NDArray[np.floating]


@metric(
    "subject_similarity",
    group="reference",
    better="higher",
    about="mean cosine with the references, cut to the figure, over grey",
    needs=("reference",),
    encoded=True,
    paired=True,
    axis=True,
)
def subject_similarity(data: MetricInput) -> NDArray[np.float64]:
    """Mean cosine of each foreground with those of the references, (N,)."""
    return np.asarray(cosines(data.foregrounds(), data.foregrounds("reference")).mean(1))


@metric(
    "subject_best",
    group="reference",
    better="higher",
    about="cosine with the nearest reference, cut to the figure, over grey",
    needs=("reference",),
    encoded=True,
)
def subject_best(data: MetricInput) -> NDArray[np.float64]:
    """Cosine of each foreground with the nearest one of the references, (N,)."""
    return np.asarray(cosines(data.foregrounds(), data.foregrounds("reference")).max(1))


@metric(
    "style_similarity",
    group="style",
    better="higher",
    about="mean cosine with the references of the style",
    needs=("style_reference",),
    encoded=True,
    paired=True,
    axis=True,
)
def style_similarity(data: MetricInput) -> NDArray[np.float64]:
    """Mean cosine of each picture with the references of the style, (N,)."""
    return np.asarray(cosines(data.features(), data.features("style_reference")).mean(1))


@metric(
    "drift",
    group="baseline",
    better="lower",
    about="1 - cosine with the baseline's picture of the same prompt",
    needs=("baseline",),
    encoded=True,
)
def drift(data: MetricInput) -> dict[str, float]:
    """1 - cosine of the mean directions of a prompt's pictures and of the baseline's, by prompt."""
    shared = data.shared_keys
    if not shared:
        return {}
    ours = mean_directions(data.features(), data.keys, shared)
    theirs = mean_directions(data.features("baseline"), data.baseline_keys, shared)
    return dict(zip(shared, (1 - (ours * theirs).sum(1)).tolist(), strict=True))


def cosines(features: Features, references: Features) -> NDArray[np.float64]:
    """Of every picture with every reference, (N, M), in float64."""
    result: NDArray[np.float64] = features.astype(np.float64) @ references.astype(np.float64).T
    return result


def mean_directions(
    features: Features, keys: Sequence[str], prompts: Sequence[str]
) -> NDArray[np.float64]:
    """The mean of the features of each of these prompts, of unit length, (G, D).

    Args:
        keys: the prompt of each picture.
    """
    rows = np.array(keys)
    means = np.stack([features[rows == key].astype(np.float64).mean(0) for key in prompts])
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True))
