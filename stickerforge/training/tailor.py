"""The workflow of `tailor prompt`: data or prompts, training, the adapter's files."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stickerforge.adapters import store
from stickerforge.config.toml import to_toml
from stickerforge.errors import InputError
from stickerforge.generation.inference import load
from stickerforge.models.checksums import verify
from stickerforge.models.encoders import load_encoder
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.long_prompts import LongPrompts, base_prompts
from stickerforge.runtime.bounded_files import read_bounded
from stickerforge.runtime.console import Console
from stickerforge.runtime.device import memory_fault, resolve_device
from stickerforge.runtime.files import locked, write_whole
from stickerforge.training.best_checkpoint import LOWEST, BestCheckpoint, ValidationSchedule
from stickerforge.training.captioned_source import CaptionedSource
from stickerforge.training.checkpoint import remove_checkpoint, update_pointer
from stickerforge.training.loss_plot import loss_plot, validation_plot
from stickerforge.training.methods.base import TrainingMethod
from stickerforge.training.metrics_log import read_rows
from stickerforge.training.personalize import MAX_BYTES
from stickerforge.training.provenance import versions
from stickerforge.training.reward_source import RewardSource
from stickerforge.training.run_folder import CheckpointInfo
from stickerforge.training.state import TrainState, init_state
from stickerforge.training.tailor_plan import COMMAND, KIND, TailorPlan
from stickerforge.training.trainer import train
from stickerforge.training.tuning_data import TuningData
from stickerforge.training.tuning_source import TuningSource
from stickerforge.training.tuning_validation import (
    TuningValidator,
    ValidationRequest,
    loss_of_diversity,
)


@dataclass(frozen=True)
class Tuning:
    """What a run came to.

    Args:
        kept_step: after how many steps the state that is kept was reached.
        ended: why the run ended before all of its steps; "" where it did not.
        metrics: of the last tenth of the steps, and of the validation of the kept state.
    """

    adapter: store.Adapter
    kept_step: int
    ended: str
    metrics: dict[str, float]


def tailor_prompt(
    plan: TailorPlan,
    source: TuningSource,
    console: Console,
    *,
    offline: bool,
    force: bool,
    resume: bool,
) -> Tuning:
    """Train and save an adapter.

    Raises:
        InputError: data or a checkpoint cannot be used, or training diverged or ended at once.
        EnvironmentFault: a network cannot be had, memory or the disk is full.
        Interrupted: after a checkpoint was written.
    """
    checkpoint = plan.resumable(force=force, resume=resume)
    verify(plan.card.folder)
    try:
        model = load(plan.card, str(resolve_device(plan.config.device)))
        rule = padded(model, plan.long_prompts)
        source.prepare(plan, model, console, offline=offline)
        if checkpoint and checkpoint.pictures != source.digest:
            raise InputError(
                f"the run of {plan.name!r} was started with other {source.what}",
                "give the same, or start over with --force",
            )
        start = begin(plan, source, checkpoint)
        if checkpoint:
            console.say(f"going on after {start.step} of {plan.config.training.steps} steps")
        state = begin_state(plan, model, rule)
        validation = schedule(plan, model, source, console, offline=offline)
        method = source.method(plan, state)
        weights, kept_step, ended = train_adapter(plan, method, start, validation, console)
    except RuntimeError as error:
        hint = "give --set training.memory=GIGABYTES, or lower --batch or --resolution"
        raise memory_fault(error, hint) or error from error
    return save(plan, source, weights, rule, start, kept_step, ended)


def source_of(data: TuningData) -> TuningSource:
    """What is trained on: captioned pictures, or prompts and a reward."""
    return CaptionedSource(data.captioned) if data.captioned else RewardSource(data.prompts)


def padded(model: DiffusionModel, rule: LongPrompts | None) -> LongPrompts | None:
    """A rule with the vector that fills a prompt up, of the model as it is."""
    if rule is None or rule.mode != "longalign" or rule.pad:
        return rule
    return replace(rule, pad=tuple(model.pad_vector()))


def begin(
    plan: TailorPlan, source: TuningSource, checkpoint: CheckpointInfo | None
) -> CheckpointInfo:
    """Write the settings of a run; a new one removes what an earlier run left."""
    run = plan.run
    if checkpoint is None:
        remove_checkpoint(run)
        for path in run.bests():
            path.unlink(missing_ok=True)
        shutil.rmtree(run.validation_sheets, ignore_errors=True)
        checkpoint = CheckpointInfo(0, plan.settings_digest(), source.digest)
    write_whole(run.config, to_toml(plan.config, COMMAND).encode())
    for name, content in source.files().items():
        write_whole(run.path / name, content)
    return replace(checkpoint, finished=False)


def begin_state(plan: TailorPlan, model: DiffusionModel, rule: LongPrompts | None) -> TrainState:
    """The model with the adapter from which training begins, reading prompts as it will.

    Raises:
        InputError: an adapter that is gone on from has other layers or another rank.
    """
    training = plan.training
    state = init_state(
        model, {}, rank=training.rank, layers=training.layers, text_rank=0, seed=plan.config.seed
    )
    if rule is not None:
        model.long_prompts = rule
    if plan.start is None:
        return state
    weights = store.read_weights(plan.start)
    fresh = state.weights().lora
    if {layer: factors.down.shape for layer, factors in weights.lora.items()} != {
        layer: factors.down.shape for layer, factors in fresh.items()
    }:
        ranks = sorted({factors.rank for factors in weights.lora.values()})
        raise InputError(
            f"{plan.start.name!r} has the rank {ranks[0]}, and the new adapter {training.rank}",
            f"give --rank {ranks[0]}",
        )
    state.load(weights)
    return state


def schedule(
    plan: TailorPlan,
    model: DiffusionModel,
    source: TuningSource,
    console: Console,
    *,
    offline: bool,
) -> ValidationSchedule | None:
    """How the model is validated during training; None where it is not."""
    if not plan.validation_interval:
        return None
    settings = plan.config.validation
    encoder = load_encoder(
        settings.encoder, device=plan.config.device, offline=offline, say=console.say
    )
    max_loss = settings.diversity if plan.method == "reward" else None
    request = ValidationRequest(
        source.validation_prompts(settings.prompts),
        settings.seeds,
        plan.config.seed,
        plan.config.training.resolution,
        plan.run.validation_sheets,
        max_loss,
    )
    # The first pictures are those of what training begins from, with its own way to read prompts.
    with base_prompts(model) if plan.start is None else nullcontext():
        validator = TuningValidator(model, encoder, request, source.score)
    return ValidationSchedule(
        plan.validation_interval,
        validator.validate,
        lambda metrics: bool(loss_of_diversity(metrics, max_loss)),
    )


def train_adapter(
    plan: TailorPlan,
    method: TrainingMethod[Any],
    start: CheckpointInfo,
    validation: ValidationSchedule | None,
    console: Console,
) -> tuple[Any, int, str]:
    """(the weights to keep, after how many steps they were, why the run ended early or "").

    Raises:
        InputError: it ended at its first validation; there is no good state.
        StickerforgeError, Interrupted: as `train`.
    """
    run, steps = plan.run, plan.config.training.steps
    with console.progress(f"tuning {plan.name}", steps) as advance:
        weights = train(method, plan.training, run, start, advance, validation)
    if not validation:
        return weights, steps, ""
    best = BestCheckpoint(run, method.kind, start=steps)
    best.remove_others()
    write_whole(run.validation_plot, validation_plot(best.rows))
    last = best.rows[-1]
    if not validation.ends(last):
        return weights, int(last["step"]), ""
    reason = f"{loss_of_diversity(last, 0.0)} after {int(last['step'])} of {steps} steps"
    if best.best["score"] <= LOWEST:
        raise InputError(
            f"{reason}, at the first validation",
            f"start over with --force --lr {plan.config.training.lr / 3:.1g}, or a smaller"
            " validation.every",
        )
    return best.weights(), int(best.best["step"]), reason


def save(
    plan: TailorPlan,
    source: TuningSource,
    weights: Any,
    rule: LongPrompts | None,
    start: CheckpointInfo,
    kept_step: int,
    ended: str,
) -> Tuning:
    """Write the adapter, and with it the settings and the plot of its run."""
    run, training = plan.run, plan.training
    rows = read_rows(run.metrics)
    steps = len(rows)
    write_whole(run.loss_plot, loss_plot(rows))
    metrics = summary(rows, read_rows(run.validation_log), kept_step)
    adapter = store.save(
        plan.name,
        weights,
        kind=KIND,
        base=plan.base,
        tokens={},
        phrase="",
        made={
            "objective": source.objective,
            "steps": steps,
            "kept_step": kept_step,
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
    update_pointer(run, replace(start, step=steps, finished=True))
    return Tuning(adapter, kept_step, ended, metrics)


def summary(
    rows: Sequence[Mapping[str, Any]], validations: Sequence[Mapping[str, Any]], kept_step: int
) -> dict[str, float]:
    """Means over the last tenth of the steps, and what validation measured of the kept state."""
    last = rows[-max(1, len(rows) // 10) :]
    names = [name for name in (last[-1] if last else {}) if name not in ("step", "gradient_norm")]
    metrics = {name: float(np.mean([row.get(name) or 0.0 for row in last])) for name in names}
    for row in validations:
        if row["step"] == kept_step:
            metrics |= {name: row[name] for name in row if name not in ("step", "score")}
    return {name: round(value, 6) for name, value in metrics.items()}
