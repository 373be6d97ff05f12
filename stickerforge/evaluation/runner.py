"""From the features of sets to the table of scores: every metric that can be had."""

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from stickerforge.evaluation.baseline import compare_to_baseline
from stickerforge.evaluation.metrics.base import (
    METRICS,
    NEEDS,
    Metric,
    MetricInput,
    NotMeasured,
    Values,
    missing_need,
)
from stickerforge.evaluation.scores import ScoreTable, mean_score, set_score


def score_sets(data: MetricInput, names: Collection[str]) -> ScoreTable:
    """Every score that can be had of these sets.

    Args:
        names: of metrics; those with weights of their own are measured where weights are given.

    Raises:
        InputError: weights are something else, or not there.
        EnvironmentFault: they cannot be had here.
    """
    table = ScoreTable()
    for item in METRICS.values():
        if item.name in names and not item.weights:
            add_metric(table, item, data)
    if "baseline" in data.sets and not data.shared_keys:
        table.refused.append("baseline: it shares no prompt with the pictures")
    for kind in data.models.places:
        for item in METRICS.values():
            if item.weights == kind:
                add_metric(table, item, data)
    table.sort()
    return table


def add_metric(table: ScoreTable, item: Metric, data: MetricInput) -> None:
    """Compute a metric and add what it gives to the table, where it has what it needs."""
    if missing_need(item, data.given):
        return
    try:
        values = item.compute(data)
    except NotMeasured as reason:
        table.refused.append(f"{item.weights or item.name}: {reason}")
        return
    if values is None:
        return
    name, digest = score_source(item, data)
    count = len(table.scores)
    if isinstance(values, np.ndarray):
        add_image_values(table, item, name, values, data)
    elif isinstance(values, Mapping):
        if values:
            table.scores.append(mean_score(name, list(values.values()), list(values)))
    else:
        table.scores.append(set_score(name, values, len(data.pictures)))
    if digest and len(table.scores) > count:
        table.weights[name] = digest


def add_image_values(
    table: ScoreTable, item: Metric, name: str, values: NDArray[np.float64], data: MetricInput
) -> None:
    """Add values of single pictures: their mean, and their differences to the baseline's.

    Args:
        values: (N,), NaN where a picture has none.
    """
    known = np.flatnonzero(~np.isnan(values))
    if len(known):
        keys = data.keys
        table.scores.append(mean_score(name, values[known].tolist(), [keys[row] for row in known]))
    if item.per_image:
        table.values[name] = values
    if item.paired and "baseline" in data.sets and data.shared_keys:
        others = baseline_values(item, data.of_baseline())
        if isinstance(others, np.ndarray):
            change = compare_to_baseline(
                values, data.keys, others, data.baseline_keys, data.shared_keys
            )
            table.paired |= {name: change} if change else {}


def baseline_values(item: Metric, baseline: MetricInput) -> Values:
    """The same metric of the baseline's pictures; None where they lack what it needs."""
    if missing_need(item, baseline.given):
        return None
    try:
        return item.compute(baseline)
    except NotMeasured:
        return None


def score_source(item: Metric, data: MetricInput) -> tuple[str, str]:
    """(name of a metric's score, digest of its weights where it is not the encoder's alone)."""
    if not item.encoded:
        return item.name, ""
    source = data.models.load(item.weights) if item.weights else data.encoder
    digest = f"{source.digest}, {item.variant}" if item.variant else source.digest
    return f"{item.name}@{source.name}", digest if item.weights or item.variant else ""


def unmeasured_metrics(
    table: ScoreTable, names: Collection[str], given: Collection[str]
) -> list[str]:
    """A line for each of these metrics that could not be computed.

    Args:
        given: what metrics can need, as far as the call had it.
    """
    known = {score.metric.name for score in table.scores}
    known |= {line.partition(":")[0] for line in table.refused}
    lines = []
    for item in METRICS.values():
        if item.name in names and item.name not in known:
            declared = NEEDS[item.needs[-1]] if item.needs else "other pictures"
            lines.append(f"{item.name}: needs {missing_need(item, given) or declared}")
    return lines
