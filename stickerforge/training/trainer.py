"""The training loop: optimizer, checkpoints, validation, interruption. It knows no objective."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from stickerforge.config.schema import TrainingConfig
from stickerforge.errors import InputError, Interrupted
from stickerforge.runtime.signals import stoppable
from stickerforge.training.best_checkpoint import BestCheckpoint, ValidationSchedule
from stickerforge.training.checkpoint import read_checkpoint, write_checkpoint
from stickerforge.training.methods.base import StepOutput, TrainingMethod
from stickerforge.training.metrics_log import MetricsLog
from stickerforge.training.optimizer import build_optimizer, load_optimizer, optimizer_tensors
from stickerforge.training.run_folder import CheckpointInfo, RunFolder


def train(
    method: TrainingMethod[Any],
    config: TrainingConfig,
    run: RunFolder,
    start: CheckpointInfo,
    on_step: Callable[[int], None] = lambda steps: None,
    validation: ValidationSchedule | None = None,
    rate: Callable[[int], float] = lambda step: 1.0,
) -> Any:
    """Train until all steps are done, from the beginning or from the checkpoint at `start.step`.

    A validation may end it earlier.

    Returns the weights in the form of the method's kind of adapter.

    Args:
        on_step: called with the number of steps that were done since the last call.
        rate: from a step to what the learning rates are multiplied by.

    Raises:
        Interrupted: after a checkpoint was written.
        EnvironmentFault: the disk is full.
        InputError: training diverged, or the checkpoint does not fit.
    """
    steps = config.steps
    optimizer = build_optimizer(method.parameter_groups(), config.epsilon)
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    if start.step:
        restore(method, optimizer, read_checkpoint(run))
    log = MetricsLog(run, start=start.step, tensorboard=config.tensorboard)
    best = BestCheckpoint(run, method.kind, start=start.step) if validation else None
    progress = Progress(method, optimizer, run, log, best, start, start.step)
    on_step(start.step)
    # A run may have ended between a checkpoint and its validation.
    ended = progress.validate(validation, start.step, steps)
    with stoppable() as check:
        for step in range(start.step, start.step if ended else steps):
            for group, own in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = own * rate(step)
            log.add(step, train_step(method, optimizer, step, config.clip))
            done = step + 1
            on_step(1)
            if done % config.save_every == 0 or done == steps:
                progress.save(done)
            if progress.validate(validation, done, steps):
                break
            try:
                check()
            except Interrupted as stop:
                progress.save(done)
                raise Interrupted(
                    f"{stop.message} after {done} of {steps} steps",
                    stop.code,
                    "the same with --resume, and without --force, goes on from here",
                ) from None
    return method.weights()


def train_step(
    method: TrainingMethod[Any], optimizer: torch.optim.Optimizer, step: int, clip: float
) -> dict[str, float]:
    """Do one step; returns its metrics.

    Args:
        clip: largest norm of the gradient.

    Raises:
        InputError: training diverged.
    """
    started = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    output = accumulate(method, step)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    norm = float(torch.nn.utils.clip_grad_norm_(parameters, clip))
    loss = float(output.loss.detach())
    if not math.isfinite(loss) or not math.isfinite(norm):
        raise InputError(
            f"training diverged at step {step}: its loss or gradient is no number",
            "start over with --force and a lower --lr",
        )
    optimizer.step()
    method.after_step(output)
    metrics = {name: float(value) for name, value in output.metrics.items()}
    seconds = time.perf_counter() - started
    return {"loss": loss, "gradient_norm": norm} | metrics | {"seconds": seconds}


def accumulate(method: TrainingMethod[Any], step: int) -> StepOutput:
    """The gradients of a step, part by part of its batch; returns means over the parts."""
    parts = method.split(method.batch(step))
    outputs = []
    for part in parts:
        output = method.loss(part, step)
        (output.loss / len(parts)).backward()  # type: ignore[no-untyped-call]
        outputs.append(StepOutput(output.loss.detach(), output.metrics))
    if len(outputs) == 1:
        return outputs[0]
    names = outputs[0].metrics
    return StepOutput(
        sum((output.loss for output in outputs), torch.zeros(())) / len(outputs),
        {
            name: sum(float(output.metrics[name]) for output in outputs) / len(outputs)
            for name in names
        },
    )


@dataclass
class Progress:
    """The checkpoints and validations of a run.

    Args:
        start: what its checkpoints belong to.
        saved: the step of the last checkpoint.
    """

    method: TrainingMethod[Any]
    optimizer: torch.optim.Optimizer
    run: RunFolder
    log: MetricsLog
    best: BestCheckpoint | None
    start: CheckpointInfo
    saved: int

    def save(self, done: int) -> None:
        """Write a checkpoint after so many steps, if there is none yet."""
        if done <= self.saved:
            return
        self.log.flush()
        tensors = self.method.state() | optimizer_tensors(self.optimizer)
        write_checkpoint(self.run, replace(self.start, step=done), tensors)
        if self.best:
            self.best.remove_others()
        self.saved = done

    def validate(self, validation: ValidationSchedule | None, done: int, steps: int) -> bool:
        """Validate if it is time to, after a checkpoint, so that nothing is lost by it.

        Returns:
            Whether the run is to end here.
        """
        if not validation or not self.best:
            return False
        if self.best.row(done) is None and validation.due(done, steps):
            self.save(done)
            self.best.add(done, validation.validate(done), self.method.weights)
        row = self.best.row(done)
        return row is not None and validation.ends(row)


def restore(
    method: TrainingMethod[Any], optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Put back what a checkpoint holds.

    Raises:
        InputError: it was written by other versions of the libraries, with other names.
    """
    unfit = InputError(
        "the checkpoint was written by other versions of the libraries", "start over with --force"
    )
    expected = {name: value.shape for name, value in method.state().items()}
    if any(name not in tensors or tensors[name].shape != expected[name] for name in expected):
        raise unfit
    method.restore({name: tensors[name] for name in expected})
    try:
        load_optimizer(optimizer, tensors)
    except ValueError:
        raise unfit from None
