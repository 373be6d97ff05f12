"""The workflow of the commands that tune a model: data, training, the adapter's files."""

from contextlib import nullcontext
from dataclasses import replace
from typing import Any, NamedTuple

from stickerforge.config.toml import to_toml
from stickerforge.errors import InputError
from stickerforge.generation.inference import load
from stickerforge.models.checksums import verify
from stickerforge.models.encoders import load_encoder
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.long_prompts import LongPrompts, base_prompts
from stickerforge.runtime.console import Console
from stickerforge.runtime.device import memory_fault, resolve_device
from stickerforge.runtime.files import write_whole
from stickerforge.runtime.text import plural
from stickerforge.training.best_checkpoint import LOWEST, BestCheckpoint, ValidationSchedule
from stickerforge.training.checkpoint import remove_checkpoint
from stickerforge.training.loss_plot import validation_plot
from stickerforge.training.methods.base import TrainingMethod
from stickerforge.training.run_folder import CheckpointInfo
from stickerforge.training.state import TrainState, init_state
from stickerforge.training.trainer import train
from stickerforge.training.tuning_plan import TuningPlan
from stickerforge.training.tuning_result import Steps, Tuning, save
from stickerforge.training.tuning_source import TuningSource
from stickerforge.training.tuning_validation import (
    TuningValidator,
    ValidationRequest,
    end_reason,
)

Plan = TuningPlan[Any]


class Learned(NamedTuple):
    """What training came to: the arguments of `tuning_result.save`.

    Args:
        weights: to keep.
        rule: by which prompts are read; None for as the model does.
        start: what the run belongs to.
        ended: why it ended before its steps were done, or "".
    """

    weights: Any
    rule: LongPrompts | None
    start: CheckpointInfo
    steps: Steps
    ended: str


def tune(
    plan: Plan,
    source: TuningSource,
    console: Console,
    *,
    offline: bool,
    force: bool,
    resume: bool,
) -> Tuning:
    """Train and save an adapter.

    Raises:
        StickerforgeError, Interrupted: as `learn`.
    """
    learned = learn(plan, source, console, offline=offline, force=force, resume=resume)
    return save(plan, source, *learned)


def learn(
    plan: Plan,
    source: TuningSource,
    console: Console,
    *,
    offline: bool,
    force: bool,
    resume: bool,
) -> Learned:
    """Train, and save nothing but checkpoints.

    Raises:
        InputError: data or a checkpoint cannot be used, or training diverged or ended at once.
        EnvironmentFault: a network cannot be had, memory or the disk is full.
        Interrupted: after a checkpoint was written.
    """
    checkpoint = plan.resumable(force=force, resume=resume)
    verify(plan.card.folder)
    try:
        model = load(plan.card, str(resolve_device(plan.config.device)))
        rule = fill_rule(model, plan.long_prompts)
        source.prepare(model, console, offline=offline)
        if checkpoint and checkpoint.pictures != source.digest:
            raise InputError(
                f"the run of {plan.name!r} was started with other {source.what}",
                "give the same, or start over with --force",
            )
        state = begin_state(plan, model, rule)
        validation = schedule(plan, model, source, console, offline=offline)
        method = source.method(state)
        start = begin(plan, source, checkpoint)
        if checkpoint:
            console.say(f"going on after {start.step} of {plan.config.training.steps} steps")
        weights, done, ended = train_adapter(plan, method, start, validation, console)
    except RuntimeError as error:
        hint = "start over with --force and --set training.memory=GIGABYTES, or a smaller --batch"
        raise memory_fault(error, hint) or error from error
    return Learned(weights, rule, start, done, ended)


def fill_rule(model: DiffusionModel, rule: LongPrompts | None) -> LongPrompts | None:
    """A rule with the vector that fills a prompt up, of the model as it is."""
    if rule is None or rule.mode != "longalign" or rule.pad:
        return rule
    return replace(rule, pad=tuple(model.pad_vector()))


def begin(plan: Plan, source: TuningSource, checkpoint: CheckpointInfo | None) -> CheckpointInfo:
    """Write the settings of a run; a new one removes what an earlier run left."""
    run = plan.run
    if checkpoint is None:
        remove_checkpoint(run)
        run.remove_validations()
        for path in run.path.glob("*.toml"):  # perhaps of another command
            path.unlink(missing_ok=True)
        checkpoint = CheckpointInfo(0, plan.settings_digest(), source.digest)
    write_whole(run.config, to_toml(plan.config, plan.command).encode())
    for name, content in source.files().items():
        write_whole(run.path / name, content)
    return replace(checkpoint, finished=False)


def begin_state(plan: Plan, model: DiffusionModel, rule: LongPrompts | None) -> TrainState:
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
    weights = plan.start_weights()
    if weights is None:
        return state
    fresh = state.weights().lora
    if {layer: factors.down.shape for layer, factors in weights.lora.items()} != {
        layer: factors.down.shape for layer, factors in fresh.items()
    }:
        ranks = sorted({factors.rank for factors in weights.lora.values()})
        raise InputError(
            f"{plan.start_name!r} has the rank {ranks[0]}, and the new adapter {training.rank}",
            f"give --rank {ranks[0]}",
        )
    state.load(weights)
    return state


def schedule(
    plan: Plan,
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
    max_loss = plan.max_loss
    request = ValidationRequest(
        source.validation_prompts(settings.prompts),
        settings.seeds,
        plan.config.seed,
        plan.config.training.resolution,
        plan.run.validation_sheets,
        max_loss,
    )
    with base_prompts(model) if plan.validates_as_base else nullcontext():
        validator = TuningValidator(model, encoder, request, source.score)
    return ValidationSchedule(
        plan.validation_interval,
        validator.validate,
        lambda metrics: bool(end_reason(metrics, max_loss)),
    )


def train_adapter(
    plan: Plan,
    method: TrainingMethod[Any],
    start: CheckpointInfo,
    validation: ValidationSchedule | None,
    console: Console,
) -> tuple[Any, Steps, str]:
    """(the weights to keep, how far they are, why the run ended before its steps were done or "").

    Raises:
        InputError: it ended at its first validation; there is no good state.
        StickerforgeError, Interrupted: as `train`.
    """
    run, steps = plan.run, plan.config.training.steps
    with console.progress(f"tuning {plan.name}", steps) as advance:
        weights = train(method, plan.training, run, start, advance, validation)
    if not validation:
        return weights, Steps(steps, steps), ""
    best = BestCheckpoint(run, method.kind, start=steps)
    best.remove_others()
    write_whole(run.validation_plot, validation_plot(best.rows))
    last = best.rows[-1]
    done = int(last["step"])
    if not validation.ends(last):
        return weights, Steps(done, done), ""
    reason = f"{end_reason(last, 0.0)} after {done} of {plural(steps, 'step')}"
    if best.best["score"] <= LOWEST:
        raise InputError(
            f"{reason}, at the first validation",
            f"start over with --force --lr {plan.config.training.lr / 3:.1g}, or a smaller"
            " validation.every",
        )
    return best.weights(), Steps(done, int(best.best["step"])), reason
