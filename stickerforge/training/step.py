"""One step of customization: the paper's equation, and what it needs of a model.

Shapes: B pictures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from stickerforge.models.family import Family
from stickerforge.objectives.dco import dco_loss, squared_error
from stickerforge.objectives.weighting import snr_weights
from stickerforge.sampling.conditioning import Conditioning, joined
from stickerforge.training.course import Course
from stickerforge.training.examples import Draw


@dataclass
class Student:
    """A model with one adapter in training.

    Args:
        factors: of the adapter named `name`, on the denoiser; `text_factors` on the text encoders.
        rows: the embeddings in training: placeholder -> text tower -> (D,).
        norms: the length that each row keeps, in the same order as `all_rows`.
        reference: the base's errors that are known already, (examples, draws), else not a number; None where draws are not kept.
        mean_gap: running mean of |error - base error|, which an automatic beta follows.
    """

    family: Family
    name: str
    factors: list[nn.Parameter]
    rows: Mapping[str, Mapping[str, nn.Parameter]]
    text_factors: list[nn.Parameter] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    reference: Tensor | None = None
    mean_gap: float = 0.0
    cached: dict[str, Conditioning] = field(default_factory=dict)

    def all_rows(self) -> list[nn.Parameter]:
        """The embeddings in training."""
        return [row for towers in self.rows.values() for row in towers.values()]

    def text(self, captions: Sequence[str], *, base: bool) -> Conditioning:
        """Encoded captions; with gradients where they hold a word in training, else encoded once by the base and kept.

        Args:
            base: whether the captions are those without the new word.
        """
        if not base and (self.text_factors or any(word in caption for word in self.rows for caption in captions)):
            different = list(dict.fromkeys(captions))
            return self.family.encode_prompt(different).picked([different.index(caption) for caption in captions])
        for caption in captions:
            if caption not in self.cached:
                with torch.no_grad(), self.family.adapters.off():
                    self.cached[caption] = self.family.encode_prompt([caption])
        return joined(*(self.cached[caption] for caption in captions))


@dataclass(frozen=True)
class Errors:
    """What a step found: the loss to descend, and the squared errors of the student and of the base, (B,) each."""

    loss: Tensor
    error: Tensor
    base_error: Tensor | None


def step_errors(student: Student, draw: Draw, course: Course, beta: float, prior: Draw | None = None) -> Errors:
    """The loss of Direct Consistency Optimization, or the plain one of noise prediction, for one draw.

    Args:
        prior: pictures of the class, by which the model is to keep what else it knows (arXiv:2208.12242, Equation 2). Their
            error counts as that of a reference which is fitted no better than by the base.
    """
    share = shares(student.family, draw, course)
    base_error = share * base_errors(student, draw) if course.objective == "dco" else None
    error = share * errors(student, draw, base=False)
    loss = error.mean() if base_error is None else dco_loss(error, base_error, beta, course.reduction)
    if prior is not None:
        prior_error = (shares(student.family, prior, course) * errors(student, prior, base=False)).mean()
        loss = loss + course.prior_weight * (1.0 if base_error is None else beta / 2) * prior_error
    return Errors(loss, error.detach(), base_error)


def shares(family: Family, draw: Draw, course: Course) -> Tensor:
    """How much the error at each timestep counts, (B,)."""
    if not course.snr_gamma:
        return torch.ones(len(draw.timesteps), device=draw.timesteps.device)
    return snr_weights(family.snr(draw.timesteps), course.snr_gamma, family.prediction)


def errors(student: Student, draw: Draw, *, base: bool) -> Tensor:
    """Squared errors (B,) of the model as it is now.

    Args:
        base: whether it is told the captions without the new word.
    """
    family = student.family
    noisy = family.noised(draw.latents, draw.noise, draw.timesteps)
    captions = [example.caption.base if base else example.caption.text for example in draw.examples]
    text = replace(student.text(captions, base=base), frames=draw.frames())
    target = family.target(draw.latents, draw.noise, draw.timesteps)
    return squared_error(family.predict(noisy, draw.timesteps, text), target, draw.weight())


@torch.no_grad()
def base_errors(student: Student, draw: Draw) -> Tensor:
    """Squared errors (B,) of the frozen base; where draws are kept, it is asked about each of them once."""
    known = student.reference
    if known is None:
        with student.family.adapters.off():
            return errors(student, draw, base=True)
    at = tuple(torch.tensor(column) for column in zip(*draw.numbers, strict=True))
    if missing := known[at].isnan().nonzero().flatten().tolist():
        with student.family.adapters.off():
            found = errors(student, draw.picked(missing), base=True)
        for row, error in zip(missing, found.cpu(), strict=True):
            known[draw.numbers[row]] = error
    return known[at].to(draw.latents.device)


@torch.no_grad()
def project_rows(student: Student) -> None:
    """Bring every new embedding back to the length of the words it started from."""
    for row, norm in zip(student.all_rows(), student.norms, strict=True):
        row.mul_(norm / row.norm().clamp(min=1e-12))
