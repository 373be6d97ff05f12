"""What a run that tunes a model came to, and its adapter's files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stickerforge.adapters import store
from stickerforge.models.long_prompts import LongPrompts
from stickerforge.runtime.bounded_files import read_bounded
from stickerforge.runtime.files import locked, write_whole
from stickerforge.training.checkpoint import update_pointer
from stickerforge.training.loss_plot import loss_plot
from stickerforge.training.metrics_log import read_rows
from stickerforge.training.personalize import MAX_BYTES
from stickerforge.training.provenance import versions
from stickerforge.training.run_folder import CheckpointInfo
from stickerforge.training.tuning_plan import KIND, TuningPlan
from stickerforge.training.tuning_source import TuningSource


@dataclass(frozen=True)
class Steps:
    """How far a run came.

    Args:
        done: steps.
        kept: after how many of them the state was reached that is kept.
    """

    done: int
    kept: int


@dataclass(frozen=True)
class Tuning:
    """What a run came to.

    Args:
        kept_step: after how many steps the state that is kept was reached.
        ended: why the run ended before all of its steps; "" where it did not.
        metrics: of the last steps up to the kept state, and of its validation.
    """

    adapter: store.Adapter
    kept_step: int
    ended: str
    metrics: dict[str, float]


def save(
    plan: TuningPlan[Any],
    source: TuningSource,
    weights: Any,
    rule: LongPrompts | None,
    start: CheckpointInfo,
    steps: Steps,
    ended: str,
) -> Tuning:
    """Write the adapter, and with it the settings and the plot of its run."""
    run, training = plan.run, plan.training
    rows = read_rows(run.metrics)
    write_whole(run.loss_plot, loss_plot(rows))
    metrics = summary(rows, read_rows(run.validation_log), steps.kept)
    adapter = store.save(
        plan.name,
        weights,
        kind=KIND,
        base=plan.base,
        tokens={},
        phrase="",
        made={
            "objective": source.objective,
            "steps": steps.done,
            "kept_step": steps.kept,
            "batch": training.batch,
            "rank": training.rank,
            "layers": training.layers,
            "resolution": training.resolution,
            "seed": plan.config.seed,
            "from": plan.start.sha256 if plan.start else None,
            "settings": start.settings,
            "data": source.digest,
            "figures": metrics,
            "versions": versions(),
            **source.provenance(),
        },
        long_prompts=rule,
    )
    with locked(store.lock_file(plan.name), wait=True):
        for file in (run.config, run.loss_plot):
            write_whole(adapter.path.with_name(file.name), read_bounded(file, MAX_BYTES))
    update_pointer(run, replace(start, step=steps.done, finished=True))
    return Tuning(adapter, steps.kept, ended, metrics)


def summary(
    rows: Sequence[Mapping[str, Any]], validations: Sequence[Mapping[str, Any]], kept_step: int
) -> dict[str, float]:
    """Means over the last tenth of the steps up to the kept state, and that state's validation.

    What both have is that of validation, on the same prompts each time.
    """
    rows = [row for row in rows if row["step"] < kept_step]
    last = rows[-max(1, len(rows) // 10) :]
    names = [name for name in (last[-1] if last else {}) if name not in ("step", "gradient_norm")]
    metrics = {name: float(np.mean([row.get(name) or 0.0 for row in last])) for name in names}
    for row in validations:
        if row["step"] == kept_step:
            metrics |= {name: row[name] for name in row if name not in ("step", "score")}
    return {name: round(value, 6) for name, value in metrics.items()}
