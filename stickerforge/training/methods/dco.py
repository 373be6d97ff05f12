"""One step of customization: the paper's equation, and what it needs of a model.

Shapes: B pictures.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from stickerforge.adapters.lora_layers import AdapterSet
from stickerforge.models.families.base import DiffusionModel
from stickerforge.objectives.dco import dco_loss, squared_error
from stickerforge.objectives.loss_weighting import snr_weights
from stickerforge.training.batches import Batch
from stickerforge.training.config import TrainingConfig
from stickerforge.training.state import TrainState


@dataclass(frozen=True)
class StepOutput:
    """What a step found: the loss to descend, and the squared errors of the student and of the base, (B,) each."""

    loss: Tensor
    error: Tensor
    base_error: Tensor | None


def step_output(
    student: TrainState,
    draw: Batch,
    course: TrainingConfig,
    beta: float,
    prior: Batch | None = None,
) -> StepOutput:
    """The loss of Direct Consistency Optimization, or the plain one of noise prediction, for one draw.

    Args:
        prior: pictures of the class, by which the model is to keep what else it knows (arXiv:2208.12242, Equation 2). Their
            error counts as that of a reference which is fitted no better than by the base.
    """
    share = loss_weights(student.family, draw, course)
    base_error = share * reference_error(student, draw) if course.objective == "dco" else None
    error = share * denoising_error(student, draw, base=False)
    loss = (
        error.mean() if base_error is None else dco_loss(error, base_error, beta, course.reduction)
    )
    if prior is not None:
        prior_error = (
            loss_weights(student.family, prior, course)
            * denoising_error(student, prior, base=False)
        ).mean()
        loss = loss + course.prior_weight * (1.0 if base_error is None else beta / 2) * prior_error
    return StepOutput(loss, error.detach(), base_error)


def loss_weights(family: DiffusionModel, draw: Batch, course: TrainingConfig) -> Tensor:
    """How much the error at each timestep counts, (B,)."""
    if not course.snr_gamma:
        return torch.ones(len(draw.timesteps), device=draw.timesteps.device)
    process = family.noise_process
    return snr_weights(process.snr(draw.timesteps), course.snr_gamma, process.prediction)


def denoising_error(student: TrainState, draw: Batch, *, base: bool) -> Tensor:
    """Squared errors (B,) of the model as it is now.

    Args:
        base: whether it is told the captions without the new word.
    """
    family = student.family
    noisy = family.noise_process.add_noise(draw.latents, draw.noise, draw.timesteps)
    captions = [example.caption.base if base else example.caption.text for example in draw.examples]
    text = student.text(captions, base=base).including("frames", draw.frames())
    target = family.noise_process.target(draw.latents, draw.noise, draw.timesteps)
    return squared_error(family.predict(noisy, draw.timesteps, text), target, draw.weight())


@torch.no_grad()
def reference_error(student: TrainState, draw: Batch) -> Tensor:
    """Squared errors (B,) of the frozen base; where draws are kept, it is asked about each of them once."""
    known = student.reference
    if known is None:
        with AdapterSet(student.family).disabled():
            return denoising_error(student, draw, base=True)
    at = tuple(torch.tensor(column) for column in zip(*draw.numbers, strict=True))
    if missing := known[at].isnan().nonzero().flatten().tolist():
        with AdapterSet(student.family).disabled():
            found = denoising_error(student, draw.picked(missing), base=True)
        for row, error in zip(missing, found.cpu(), strict=True):
            known[draw.numbers[row]] = error
    return known[at].to(draw.latents.device)
