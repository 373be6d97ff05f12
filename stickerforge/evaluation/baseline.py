"""Paired differences between a set of images and its baseline, prompt by prompt."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stickerforge.evaluation.metrics.base import full_name, mean_score
from stickerforge.evaluation.prompt_matching import TargetPrompt
from stickerforge.evaluation.runner import PAIRED, SETS, ScoreTable, per_picture, stack
from stickerforge.evaluation.statistics import paired_difference

if TYPE_CHECKING:
    from stickerforge.models.encoders import Encoder


def compare_to_baseline(
    table: ScoreTable,
    sets: SETS,
    asked: Mapping[str, Sequence[TargetPrompt]],
    used: "Encoder",
    wanted: set[str],
) -> None:
    """Differences to the baseline, prompt by prompt: those that both sets know."""
    theirs, keys = (
        sets["baseline"],
        {role: [wish.key for wish in wishes] for role, wishes in asked.items()},
    )
    shared = [key for key in dict.fromkeys(keys["pictures"]) if key in set(keys["baseline"])]
    if not shared:
        table.refused.append("baseline: it shares no prompt with the pictures")
        return
    roles = {role: items for role, items in sets.items() if role != "baseline"} | {
        "pictures": theirs
    }
    other = per_picture(roles, [wish.text for wish in asked["baseline"]], used, wanted & PAIRED)
    add_pairs(table, other, keys)
    if "drift" in wanted:
        both = [
            by_prompt_vectors(stack(sets[role], "whole"), keys[role], shared)
            for role in ("pictures", "baseline")
        ]
        table.figures.append(
            mean_score(
                full_name("drift", used.name), (1 - (both[0] * both[1]).sum(1)).tolist(), shared
            )
        )


def add_pairs(
    table: ScoreTable, others: Mapping[str, NDArray[np.float64]], keys: Mapping[str, Sequence[str]]
) -> None:
    """Differences to the baseline's values, prompt by prompt.

    Args:
        others: values of the baseline's pictures by metric.
        keys: of the "pictures" and of the "baseline".
    """
    shared = [key for key in dict.fromkeys(keys["pictures"]) if key in set(keys["baseline"])]
    for name, values in others.items():
        if name not in table.values:  # no picture of ours has what it takes, a prompt say
            continue
        change = by_prompt(table.values[name], keys["pictures"], shared) - by_prompt(
            values, keys["baseline"], shared
        )
        if len(change := change[~np.isnan(change)]):
            table.paired[name] = paired_difference(change)


def by_prompt(
    values: NDArray[np.float64], keys: Sequence[str], shared: Sequence[str]
) -> NDArray[np.float64]:
    """The mean over the pictures of each shared prompt that have a value, NaN where none has."""
    rows = np.array(keys)
    found = []
    for key in shared:
        own = values[rows == key]
        found.append(float(np.mean(own[~np.isnan(own)])) if not np.isnan(own).all() else np.nan)
    return np.array(found)


def by_prompt_vectors(
    vectors: NDArray[np.float32], keys: Sequence[str], shared: Sequence[str]
) -> NDArray[np.float64]:
    """The mean direction of each shared prompt, of unit length."""
    rows = np.array(keys)
    means = np.stack([vectors[rows == key].astype(np.float64).mean(0) for key in shared])
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True))
