"""METRIC=VALUE of --fail-under."""

from collections.abc import Sequence
from dataclasses import dataclass

from stickerforge.config.schema import EvaluateConfig
from stickerforge.errors import InputError
from stickerforge.evaluation.metrics.base import METRICS, Score, format_value, is_worse

NEEDS = {
    "reference": "--reference",
    "style": "--style-reference",
    "baseline": "--baseline",
    "prompt": "prompts, and an encoder that reads text",
    "reward": "--reward with its weights",
}


@dataclass(frozen=True)
class Limit:
    """METRIC=VALUE of --fail-under."""

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


def check_limit(item: Limit, config: EvaluateConfig, wanted: set[str], rewards: set[str]) -> None:
    """Refuse a limit on what this call will not measure, before it measures anything.

    Raises:
        InputError: it is such a limit.
    """
    name = item.name.partition("@")[0]
    metric = METRICS[name]
    given = {
        "reference": config.reference,
        "style": config.style_reference,
        "baseline": config.baseline,
    }
    if metric.group == "reward":
        possible = name.partition("_")[0] in rewards
    else:
        possible = name in wanted and bool(given.get(metric.group, True))
    if not possible:
        hint = (
            f"it needs {NEEDS[metric.group]}"
            if metric.group in NEEDS and name in wanted
            else "add it to --metrics"
        )
        raise InputError(f"--fail-under: {item.name} would not be measured", hint)


def broken_limit(item: Limit, figures: Sequence[Score]) -> str:
    """What is wrong with a figure, or "".

    Raises:
        InputError: there is no such figure.
    """
    found = next(
        (figure for figure in figures if item.name in (figure.name, figure.name.partition("@")[0])),
        None,
    )
    if found is None:
        have = ", ".join(figure.name for figure in figures)
        raise InputError(f"--fail-under: {item.name} was not measured", f"there are {have}")
    if not is_worse(found, item.value):
        return ""
    side = "over" if found.metric.better == "lower" else "under"
    return f"{found.name} is {format_value(found.value)}, {side} {item.value:g}"
