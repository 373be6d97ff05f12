"""The scores of a call, with their intervals, and how they are written for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stickerforge.evaluation.metrics.base import METRICS, Metric, metric_of
from stickerforge.evaluation.statistics import Interval, group_means, interval


@dataclass(frozen=True)
class Score:
    """A mean over pictures, with its interval over prompts.

    Args:
        name: of the metric, with "@model" where its features are those of a model.
        interval: low and high end of the 95 % interval, where there is one.
        n: pictures, or prompts for what is measured once per prompt.
        prompts: groups that are independent of each other.
    """

    name: str
    value: float
    interval: Interval | None
    n: int
    prompts: int

    @property
    def metric(self) -> Metric:
        """What it measures."""
        return metric_of(self.name)


@dataclass
class ScoreTable:
    """Everything that was computed.

    Args:
        values: of each picture by name of the score, (N,), NaN where one has none.
        paired: differences to the baseline by name of the score.
        refused: what was not computed, and why.
        weights: digests of the models that scores come from, where it is not the encoder.
    """

    scores: list[Score] = field(default_factory=list)
    values: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    paired: dict[str, dict[str, float | None]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    weights: dict[str, str] = field(default_factory=dict)

    def sort(self) -> None:
        """Bring the scores into the order in which metrics are declared."""
        order = list(METRICS)
        self.scores.sort(key=lambda score: order.index(score.metric.name))


def mean_score(name: str, values: Sequence[float], keys: Sequence[str]) -> Score:
    """The mean over prompts of a metric's values.

    Args:
        keys: the prompt of each value.
    """
    means = group_means(values, keys)
    spread = interval(values, keys, passes=metric_of(name).passes)
    return Score(name, float(means.mean()), spread, len(values), len(means))


def set_score(name: str, value: float, n: int) -> Score:
    """A score of a set as a whole, which has no interval."""
    return Score(name, value, None, n, 0)


def is_worse(score: Score, limit: float) -> bool:
    """Whether it is on the wrong side of a limit: above where lower is better, else below."""
    return score.value > limit if score.metric.better == "lower" else score.value < limit


def format_value(value: float, unit: str = "") -> str:
    """A value for people: three digits that count."""
    if unit == "B":
        return f"{value / 1000:.1f} kB"
    value = 0.0 if abs(value) < 5e-4 else value  # no "-0.000"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 3
    return f"{value:.{digits}f} {unit}".strip()


def format_interval(low: float, high: float, unit: str = "") -> str:
    """An interval for people."""
    return f"{format_value(low, unit)} to {format_value(high, unit)}"


def score_interval(score: Score) -> str:
    """Its interval for people; a dash where it has none."""
    return format_interval(*score.interval, score.metric.unit) if score.interval else "-"


def scores_to_json(scores: Sequence[Score]) -> dict[str, Mapping[str, object]]:
    """The scores of a report file, by name."""
    return {
        score.name: {
            "value": score.value,
            "low": score.interval[0] if score.interval else None,
            "high": score.interval[1] if score.interval else None,
            "n": score.n,
            "prompts": score.prompts,
            "better": score.metric.better,
            "about": score.metric.about,
            "unit": score.metric.unit,
        }
        for score in scores
    }
