"""Two models on the same prompts and seeds: paired differences, and whether one is worse.

Separate intervals may overlap where nearly every prompt got worse; differences tell.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stickerforge.evaluation.statistics import group_means, paired_difference, sign_flip_p

Scores = Mapping[str, Mapping[str, float]]  # {row: {id of a picture or group: score}}
SURE = 0.05  # chance that any row of a table is called worse although none is
SAME = ("lists", "world", "judge")  # what two records must share to be compared


def prompt_differences(
    ours: Mapping[str, float], theirs: Mapping[str, float], groups: Mapping[str, str]
) -> NDArray[np.float64]:
    """Ours - theirs for each group of what both have, (G,)."""
    shared = [each for each in ours if each in theirs]
    if not shared:
        return np.zeros(0)
    return group_means(
        [ours[each] - theirs[each] for each in shared], [groups[each] for each in shared]
    )


def changes(
    ours: Scores, theirs: Scores, groups: Mapping[str, str]
) -> dict[str, dict[str, float | None]]:
    """{row: see `paired_difference`} of the rows that share a prompt.

    Args:
        groups: {id: prompts that belong together}.
    """
    found = {
        name: prompt_differences(ours[name], theirs[name], groups)
        for name in ours
        if name in theirs
    }
    return {name: paired_difference(values) for name, values in found.items() if len(values)}


def worse_rows(
    ours: Scores, theirs: Scores, groups: Mapping[str, str], loss: float = 0.0
) -> list[str]:
    """The rows that lost more than `loss`, beyond what chance does in one table of twenty.

    The limit on p is shared among the rows (Bonferroni), as a table has many.
    """
    found = {
        name: prompt_differences(ours[name], theirs[name], groups)
        for name in ours
        if name in theirs
    }
    found = {name: values for name, values in found.items() if len(values)}
    return [
        name
        for name, values in found.items()
        if values.mean() < -loss and sign_flip_p(values + loss) < SURE / len(found)
    ]


def read_scores(path: Path, record: Mapping[str, object]) -> Scores:
    """The scores of another run's bench-*.json.

    Args:
        record: of this run.

    Raises:
        SystemExit: it asked something else, or another judge.
    """
    other = json.loads(path.read_text())
    different = [name for name in SAME if other.get(name) != record[name]]
    if different or "scores" not in other:
        raise SystemExit(f"{path} cannot be compared: other {', '.join(different) or 'version'}")
    scores: Scores = other["scores"]
    return scores


def interval_text(low: float | None, high: float | None, sign: str = "") -> str:
    """An interval in percent or points, "-" for none."""
    if low is None or high is None:
        return "-"
    return f"{100 * low:{sign}.1f} to {100 * high:{sign}.1f}"


def print_changes(rows: Mapping[str, Mapping[str, float | None]], worse: Sequence[str]) -> None:
    """Print the differences; shares in points."""
    print(f"\n{'differences':36}{'change':>8}   {'95 % interval':20}{'p':>8}  prompts")
    for name, row in rows.items():
        spread = interval_text(row["low"], row["high"], "+")
        print(
            f"{name:36}{100 * (row['change'] or 0):>+8.1f}   {spread:20}{row['p']:>8.3f}"
            f"  {row['prompts']:.0f}{'  worse' if name in worse else ''}"
        )
