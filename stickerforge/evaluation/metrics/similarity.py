"""How alike pictures are, from unit features: to references, to each other; and a long prompt in its sentences.

Shapes: N pictures, M references, D features, all of unit length.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.floating]
NEAR = 0.985  # cosine from which two pictures count as one
ROWS = 1024  # of a matrix of all pairs that are looked at together


def to_references(
    features: Features, references: Features
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(mean, best) cosine of each picture with the references, (N,) each."""
    cosines = features.astype(np.float64) @ references.astype(np.float64).T
    return cosines.mean(1), cosines.max(1)


def diversity(features: Features, groups: Sequence[str]) -> dict[str, float]:
    """Mean of 1 - cosine over all pairs of pictures of one prompt, for each prompt that has a pair."""
    names = np.array(groups)
    found = {}
    for name in dict.fromkeys(groups):
        own = features[names == name].astype(np.float64)
        if len(own) > 1:
            cosines = own @ own.T
            pairs = np.triu_indices(len(own), 1)
            found[name] = float(1 - cosines[pairs].mean())
    return found


def near_duplicates(features: Features, threshold: float = NEAR) -> NDArray[np.bool_]:
    """Whether an earlier picture of the set is nearly the same, (N,)."""
    found = np.zeros(len(features), bool)
    for start in range(0, len(features), ROWS):
        cosines = features[start : start + ROWS] @ features[: start + ROWS].T
        found[start : start + ROWS] = (np.tril(cosines, start - 1) >= threshold).any(1)
    return found


def segments(text: str) -> list[str]:
    """The sentences of a long prompt; a short one is a segment by itself."""
    parts = [part.strip(" .;!?") for part in re.split(r"(?<=[.!?;])\s+|\n+", text)]
    return [part for part in parts if part] or [text.strip()]
