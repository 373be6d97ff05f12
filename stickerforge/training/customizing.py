"""The loop that teaches: from examples to factors and tokens, with checkpoints on the way."""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from stickerforge.adapters.lora import Factors, Taught
from stickerforge.errors import InputError, Interrupted
from stickerforge.models.adapting import trainable
from stickerforge.models.family import Family
from stickerforge.objectives.dco import automatic_beta, followed
from stickerforge.runtime.seeds import derived_seed
from stickerforge.runtime.signals import stoppable
from stickerforge.training.checkpoint import Mark, load_optimizer, optimizer_tensors, read_checkpoint, write_checkpoint
from stickerforge.training.course import Course
from stickerforge.training.examples import Draw, Example, drawn
from stickerforge.training.record import Record
from stickerforge.training.step import Student, project_rows, step_errors
from stickerforge.training.watching import Watch, Watched

ADAPTER = "taught"  # the adapter's name within the network


def enrolled(family: Family, course: Course, tokens: dict[str, str]) -> Student:
    """The model with a fresh adapter, and new tokens that start where their class words are.

    Args:
        tokens: placeholder -> class words.
    """
    factors = trainable(family.adapters.fresh(ADAPTER, course.rank, course.layers, course.seed))
    text_factors = trainable(family.adapters.fresh_on_text(ADAPTER, course.text_rank, course.seed)) if course.text_rank else []
    rows = {placeholder: family.add_token(placeholder, family.rows_of(words)) for placeholder, words in tokens.items()}
    student = Student(family, ADAPTER, factors, rows, text_factors)
    student.norms = [float(row.detach().norm()) for row in trainable(student.all_rows())]
    return student


def optimizer_for(student: Student, course: Course) -> torch.optim.Optimizer:
    """AdamW on the factors, without decay on the embeddings, whose length is kept anyway."""
    groups = [{"params": student.factors, "lr": course.rate, "weight_decay": course.weight_decay}]
    if student.text_factors:
        groups.append({"params": student.text_factors, "lr": course.text_rate, "weight_decay": course.weight_decay})
    if rows := student.all_rows():
        groups.append({"params": rows, "lr": course.token_rate, "weight_decay": 0.0})
    return torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=course.epsilon, fused=True)


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
    tensors["mean_gap"] = torch.tensor(student.mean_gap, dtype=torch.float64)
    if student.reference is not None:
        tensors["reference"] = student.reference
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
    student.mean_gap = float(tensors["mean_gap"])
    if student.reference is not None:
        student.reference.copy_(tensors["reference"])
    load_optimizer(optimizer, tensors)


def teach(
    family: Family,
    examples: Sequence[Example],
    course: Course,
    tokens: dict[str, str],
    folder: Path,
    mark: Mark,
    prior: Sequence[Example] = (),
    on_step: Callable[[int], None] = lambda steps: None,
    watch: Watch | None = None,
) -> Taught:
    """Run, or go on from the checkpoint at `mark.step`, until all steps are done.

    Args:
        prior: pictures of the class, where they are to count.
        watch: looks at the model on the way, if anything does; see `Watched` for what it leaves.

    Raises:
        Interrupted: after a checkpoint was written.
        EnvironmentFault: the disk is full.
        InputError: training diverged, or the checkpoint does not fit.
    """
    student = enrolled(family, course, tokens)
    if course.draws:
        student.reference = torch.full((len(examples), course.draws), math.nan)
    optimizer = optimizer_for(student, course)
    if mark.step:
        restore(student, optimizer, read_checkpoint(folder))
    record, done, saved = Record(folder, start=mark.step, board=course.board), mark.step, mark.step
    watched = Watched(folder, start=mark.step) if watch else None

    def save() -> None:
        nonlocal saved
        record.flush()
        write_checkpoint(folder, Mark(done, mark.settings, mark.pictures), state(student, optimizer))
        if watched:
            watched.settle()
        saved = done

    def look() -> None:
        """Where it is time to; a checkpoint comes first, so that nothing is lost by it."""
        if watch and watched and done and watch.due(done, course.steps) and not watched.has(done):
            if done > saved:
                save()
            watched.add(done, watch.look(done), lambda: taught(student))

    on_step(done)
    look()  # a run may have ended between a checkpoint and its look
    with stoppable() as check:
        for step in range(mark.step, course.steps):
            record.add(step, trained(student, optimizer, examples, course, step, prior))
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
                raise Interrupted(f"{stop.message} after {done} of {course.steps} steps", stop.code, "--resume goes on from here") from None
    return taught(student)


def trained(
    student: Student,
    optimizer: torch.optim.Optimizer,
    examples: Sequence[Example],
    course: Course,
    step: int,
    prior: Sequence[Example] = (),
) -> dict[str, float]:
    """One step; returns its figures."""
    started = time.perf_counter()
    beta = course.beta or automatic_beta(student.mean_gap, step)
    found = step_errors(student, seen(student, examples, course, step), course, beta, among(student, prior, course, step))
    optimizer.zero_grad(set_to_none=True)
    found.loss.backward()  # type: ignore[no-untyped-call]
    parameters = [*student.factors, *student.text_factors, *student.all_rows()]
    norm = float(torch.nn.utils.clip_grad_norm_(parameters, course.clip))
    if not math.isfinite(float(found.loss.detach())) or not math.isfinite(norm):
        raise InputError(f"training diverged at step {step}: its loss or gradient is no number", "start over with --force and a lower --lr")
    optimizer.step()
    project_rows(student)
    figures = {"loss": float(found.loss.detach()), "error": float(found.error.mean()), "gradient_norm": norm}
    if found.base_error is not None:
        gap = found.error - found.base_error
        student.mean_gap = followed(student.mean_gap, gap)
        figures |= {"base_error": float(found.base_error.mean()), "gap": float(gap.abs().mean()), "better": float((gap < 0).float().mean())}
        figures |= {"beta": beta}
    return figures | {"seconds": time.perf_counter() - started}


def seen(student: Student, examples: Sequence[Example], course: Course, step: int) -> Draw:
    """What a step sees of the references."""
    return drawn(
        examples, student.family, seed=course.seed, step=step, batch=course.batch, offset_noise=course.offset_noise, draws=course.draws
    )


def among(student: Student, prior: Sequence[Example], course: Course, step: int) -> Draw | None:
    """What a step sees of the pictures of the class, with noise of its own; None where there are none."""
    if not prior:
        return None
    own = derived_seed(course.seed, "prior")
    return drawn(prior, student.family, seed=own, step=step, batch=course.batch, offset_noise=course.offset_noise)
