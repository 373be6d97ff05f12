"""The loop that teaches: from examples to factors and tokens, with checkpoints on the way."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from stickerforge.adapters.lora import Factors, Taught
from stickerforge.errors import InputError, Interrupted
from stickerforge.models.adapting import Layers, trainable
from stickerforge.models.family import Family
from stickerforge.runtime.signals import stoppable
from stickerforge.training.checkpoint import Mark, load_optimizer, optimizer_tensors, read_checkpoint, write_checkpoint
from stickerforge.training.examples import Example, drawn
from stickerforge.training.record import Record
from stickerforge.training.step import Objective, Student, project_rows, step_errors

ADAPTER = "taught"  # the adapter's name within the network


@dataclass(frozen=True)
class Course:
    """How something is taught.

    Args:
        layers: which of the denoiser's layers get factors.
        rate, token_rate: learning rates of the factors and of the new embeddings.
        save_every: steps between checkpoints.
    """

    steps: int
    batch: int
    rank: int
    layers: Layers
    rate: float
    token_rate: float
    beta: float
    objective: Objective
    offset_noise: float
    seed: int
    weight_decay: float
    clip: float
    save_every: int


def enrolled(family: Family, course: Course, tokens: dict[str, str]) -> Student:
    """The model with a fresh adapter, and new tokens that start where their class words are.

    Args:
        tokens: placeholder -> class words.
    """
    factors = trainable(family.adapters.fresh(ADAPTER, course.rank, course.layers, course.seed))
    rows = {placeholder: family.add_token(placeholder, family.rows_of(words)) for placeholder, words in tokens.items()}
    student = Student(family, ADAPTER, factors, rows)
    student.norms = [float(row.detach().norm()) for row in trainable(student.all_rows())]
    return student


def optimizer_for(student: Student, course: Course) -> torch.optim.Optimizer:
    """AdamW on the factors, without decay on the embeddings, whose length is kept anyway."""
    groups = [{"params": student.factors, "lr": course.rate, "weight_decay": course.weight_decay}]
    if rows := student.all_rows():
        groups.append({"params": rows, "lr": course.token_rate, "weight_decay": 0.0})
    return torch.optim.AdamW(groups, betas=(0.9, 0.999), fused=True)


def taught(student: Student) -> Taught:
    """What the student has learned so far, apart from the network."""
    rows = {name: {tower: row.detach().cpu().clone() for tower, row in towers.items()} for name, towers in student.rows.items()}
    return Taught(student.family.adapters.factors(student.name), rows)


def state(student: Student, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Everything that the next step depends on."""
    now = taught(student)
    tensors = {f"down/{layer}": factors.down for layer, factors in now.lora.items()}
    tensors |= {f"up/{layer}": factors.up for layer, factors in now.lora.items()}
    tensors |= {f"token/{tower}/{name}": row for name, towers in now.tokens.items() for tower, row in towers.items()}
    return tensors | optimizer_tensors(optimizer)


@torch.no_grad()
def restore(student: Student, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what `state` gave.

    Raises:
        InputError: it was made by other versions of the libraries, with other names.
    """
    if {key: value.shape for key, value in state(student, optimizer).items() if "optimizer" not in key} != {
        key: value.shape for key, value in tensors.items() if "optimizer" not in key
    }:
        raise InputError("the checkpoint was written by other versions of the libraries", "start over with --force")
    layers = [key.removeprefix("down/") for key in tensors if key.startswith("down/")]
    student.family.adapters.load(student.name, {layer: Factors(tensors[f"down/{layer}"], tensors[f"up/{layer}"], 0.0) for layer in layers})
    for name, towers in student.rows.items():
        for tower, row in towers.items():
            row.copy_(tensors[f"token/{tower}/{name}"])
    load_optimizer(optimizer, tensors)


def teach(
    family: Family,
    examples: Sequence[Example],
    course: Course,
    tokens: dict[str, str],
    folder: Path,
    mark: Mark,
    on_step: Callable[[int], None] = lambda steps: None,
) -> Taught:
    """Run, or go on from the checkpoint at `mark.step`, until all steps are done.

    Raises:
        Interrupted: after a checkpoint was written.
        EnvironmentFault: the disk is full.
        InputError: training diverged, or the checkpoint does not fit.
    """
    student = enrolled(family, course, tokens)
    optimizer = optimizer_for(student, course)
    if mark.step:
        restore(student, optimizer, read_checkpoint(folder))
    record, done, saved = Record(folder, start=mark.step), mark.step, mark.step

    def save() -> None:
        nonlocal saved
        record.flush()
        write_checkpoint(folder, Mark(done, mark.settings, mark.pictures), state(student, optimizer))
        saved = done

    on_step(done)
    with stoppable() as check:
        for step in range(mark.step, course.steps):
            record.add(step, trained(student, optimizer, examples, course, step))
            done = step + 1
            on_step(1)
            if done % course.save_every == 0 or done == course.steps:
                save()
            try:
                check()
            except Interrupted as stop:
                if done > saved:
                    save()
                raise Interrupted(f"{stop.message} after {done} of {course.steps} steps", stop.code) from None
    return taught(student)


def trained(student: Student, optimizer: torch.optim.Optimizer, examples: Sequence[Example], course: Course, step: int) -> dict[str, float]:
    """One step; returns its figures."""
    started = time.perf_counter()
    draw = drawn(examples, student.family, seed=course.seed, step=step, batch=course.batch, offset_noise=course.offset_noise)
    found = step_errors(student, draw, course.objective, course.beta)
    optimizer.zero_grad(set_to_none=True)
    found.loss.backward()  # type: ignore[no-untyped-call]
    parameters = [*student.factors, *student.all_rows()]
    norm = float(torch.nn.utils.clip_grad_norm_(parameters, course.clip))
    if not math.isfinite(float(found.loss.detach())) or not math.isfinite(norm):
        raise InputError(f"training diverged at step {step}: its loss or gradient is no number", "start over with --force and a lower --lr")
    optimizer.step()
    project_rows(student)
    figures = {"loss": float(found.loss.detach()), "error": float(found.error.mean()), "gradient_norm": norm}
    if found.base_error is not None:
        gap = found.error - found.base_error
        figures |= {"base_error": float(found.base_error.mean()), "gap": float(gap.abs().mean()), "better": float((gap < 0).float().mean())}
    return figures | {"seconds": time.perf_counter() - started}
