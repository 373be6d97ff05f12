"""METRIC=VALUE of --fail-under."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from stickerforge.errors import InputError
from stickerforge.evaluation.metrics.base import METRICS, metric_of, missing_need
from stickerforge.evaluation.scores import Score, format_value, is_worse


@dataclass(frozen=True)
class Limit:
    """METRIC=VALUE of --fail-under.

    Args:
        name: of a metric, or of a score ("alignment@judge").
    """

    name: str
    value: float


def parse_limit(text: str) -> Limit:
    """METRIC=VALUE.

    Raises:
        InputError: it is something else.
    """
    name, _, number = text.partition("=")
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    metric = METRICS.get(name.partition("@")[0])
    if metric is None or value != value:
        raise InputError(
            f"--fail-under {text!r} is no limit",
            "give METRIC=VALUE, for example alignment@judge=0.3",
        )
    if not metric.better:
        raise InputError(
            f"--fail-under: {metric.name} is neither better high nor low",
            "look at it in the report",
        )
    return Limit(name, value)


def check_limit(limit: Limit, names: Collection[str], given: Collection[str]) -> None:
    """Refuse a limit on what this call will not measure, before it measures anything.

    Args:
        names: of the metrics that --metrics means.
        given: roles of the folders, "prompt", and kinds of --reward.

    Raises:
        InputError: it is such a limit.
    """
    metric = metric_of(limit.name)
    missing, is_named = missing_need(metric, given), metric.name in names
    if missing or not (is_named or metric.weights):
        hint = f"it needs {missing}" if missing and is_named else "add it to --metrics"
        raise InputError(f"--fail-under: {limit.name} would not be measured", hint)


def broken_limit(limit: Limit, scores: Sequence[Score]) -> str:
    """What is wrong with a score, or "".

    Raises:
        InputError: there is no such score.
    """
    score = next(
        (item for item in scores if limit.name in (item.name, item.metric.name)),
        None,
    )
    if score is None:
        names = ", ".join(item.name for item in scores)
        raise InputError(f"--fail-under: {limit.name} was not measured", f"there are {names}")
    if not is_worse(score, limit.value):
        return ""
    side = "over" if score.metric.better == "lower" else "under"
    return f"{score.name} is {format_value(score.value)}, {side} {limit.value:g}"
