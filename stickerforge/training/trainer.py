"""The loop that teaches: from examples to factors and tokens, with checkpoints on the way."""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from stickerforge.adapters.lora_weights import AdapterWeights
from stickerforge.errors import InputError, Interrupted
from stickerforge.models.families.base import DiffusionModel
from stickerforge.objectives.dco import automatic_beta, update_running_mean
from stickerforge.runtime.seeds import derive_seed
from stickerforge.runtime.signals import stoppable
from stickerforge.training.batches import Batch, TrainingExample, sample_batch
from stickerforge.training.best_checkpoint import BestCheckpoint, ValidationSchedule
from stickerforge.training.checkpoint import Mark, read_checkpoint, write_checkpoint
from stickerforge.training.config import TrainingConfig
from stickerforge.training.methods.dco import step_output
from stickerforge.training.metrics_log import MetricsLog
from stickerforge.training.optimizer import build_optimizer
from stickerforge.training.state import (
    TrainState,
    current_weights,
    init_state,
    project_embeddings,
    restore,
    state_tensors,
)


def train(
    family: DiffusionModel,
    examples: Sequence[TrainingExample],
    course: TrainingConfig,
    tokens: dict[str, str],
    folder: Path,
    mark: Mark,
    prior: Sequence[TrainingExample] = (),
    on_step: Callable[[int], None] = lambda steps: None,
    watch: ValidationSchedule | None = None,
) -> AdapterWeights:
    """Run, or go on from the checkpoint at `mark.step`, until all steps are done.

    Args:
        prior: pictures of the class, where they are to count.
        watch: looks at the model on the way, if anything does; see `Watched` for what it leaves.

    Raises:
        Interrupted: after a checkpoint was written.
        EnvironmentFault: the disk is full.
        InputError: training diverged, or the checkpoint does not fit.
    """
    student = init_state(family, course, tokens)
    if course.draws:
        student.reference = torch.full((len(examples), course.draws), math.nan)
    optimizer = build_optimizer(student, course)
    if mark.step:
        restore(student, optimizer, read_checkpoint(folder))
    record, done, saved = (
        MetricsLog(folder, start=mark.step, board=course.board),
        mark.step,
        mark.step,
    )
    watched = BestCheckpoint(folder, start=mark.step) if watch else None

    def save() -> None:
        nonlocal saved
        record.flush()
        write_checkpoint(
            folder, Mark(done, mark.settings, mark.pictures), state_tensors(student, optimizer)
        )
        if watched:
            watched.settle()
        saved = done

    def look() -> None:
        """Where it is time to; a checkpoint comes first, so that nothing is lost by it."""
        if watch and watched and done and watch.due(done, course.steps) and not watched.has(done):
            if done > saved:
                save()
            watched.add(done, watch.look(done), lambda: current_weights(student))

    on_step(done)
    look()  # a run may have ended between a checkpoint and its look
    with stoppable() as check:
        for step in range(mark.step, course.steps):
            record.add(step, train_step(student, optimizer, examples, course, step, prior))
            done = step + 1
            on_step(1)
            if done % course.save_every == 0 or done == course.steps:
                save()
            look()
            try:
                check()
            except Interrupted as stop:
                if done > saved:
                    save()
                raise Interrupted(
                    f"{stop.message} after {done} of {course.steps} steps",
                    stop.code,
                    "--resume goes on from here",
                ) from None
    return current_weights(student)


def train_step(
    student: TrainState,
    optimizer: torch.optim.Optimizer,
    examples: Sequence[TrainingExample],
    course: TrainingConfig,
    step: int,
    prior: Sequence[TrainingExample] = (),
) -> dict[str, float]:
    """One step; returns its figures."""
    started = time.perf_counter()
    beta = course.beta or automatic_beta(student.mean_gap, step)
    found = step_output(
        student,
        reference_batch(student, examples, course, step),
        course,
        beta,
        prior_batch(student, prior, course, step),
    )
    optimizer.zero_grad(set_to_none=True)
    found.loss.backward()  # type: ignore[no-untyped-call]
    parameters = [*student.factors, *student.text_factors, *student.all_rows()]
    norm = float(torch.nn.utils.clip_grad_norm_(parameters, course.clip))
    if not math.isfinite(float(found.loss.detach())) or not math.isfinite(norm):
        raise InputError(
            f"training diverged at step {step}: its loss or gradient is no number",
            "start over with --force and a lower --lr",
        )
    optimizer.step()
    project_embeddings(student)
    figures = {
        "loss": float(found.loss.detach()),
        "error": float(found.error.mean()),
        "gradient_norm": norm,
    }
    if found.base_error is not None:
        gap = found.error - found.base_error
        student.mean_gap = update_running_mean(student.mean_gap, gap)
        figures |= {
            "base_error": float(found.base_error.mean()),
            "gap": float(gap.abs().mean()),
            "better": float((gap < 0).float().mean()),
        }
        figures |= {"beta": beta}
    return figures | {"seconds": time.perf_counter() - started}


def reference_batch(
    student: TrainState, examples: Sequence[TrainingExample], course: TrainingConfig, step: int
) -> Batch:
    """What a step sees of the references."""
    return sample_batch(
        examples,
        student.family,
        seed=course.seed,
        step=step,
        batch=course.batch,
        offset_noise=course.offset_noise,
        draws=course.draws,
    )


def prior_batch(
    student: TrainState, prior: Sequence[TrainingExample], course: TrainingConfig, step: int
) -> Batch | None:
    """What a step sees of the pictures of the class, with noise of its own; None where there are none."""
    if not prior:
        return None
    own = derive_seed(course.seed, "prior")
    return sample_batch(
        prior,
        student.family,
        seed=own,
        step=step,
        batch=course.batch,
        offset_noise=course.offset_noise,
    )
