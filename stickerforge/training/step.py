"""One step of customization: the paper's equation, and what it needs of a model.

Shapes: B pictures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor, nn

from stickerforge.models.family import Family
from stickerforge.objectives.dco import dco_loss, squared_error
from stickerforge.sampling.conditioning import Conditioning, joined
from stickerforge.training.examples import Draw

Objective = Literal["dco", "plain"]


@dataclass
class Student:
    """A model with one adapter in training.

    Args:
        factors: of the adapter named `name`.
        rows: the embeddings in training: placeholder -> text tower -> (D,).
        norms: the length that each row keeps, in the same order as `all_rows`.
    """

    family: Family
    name: str
    factors: list[nn.Parameter]
    rows: Mapping[str, Mapping[str, nn.Parameter]]
    norms: list[float] = field(default_factory=list)
    cached: dict[str, Conditioning] = field(default_factory=dict)

    def all_rows(self) -> list[nn.Parameter]:
        """The embeddings in training."""
        return [row for towers in self.rows.values() for row in towers.values()]

    def text(self, captions: Sequence[str], *, base: bool) -> Conditioning:
        """Encoded captions; with gradients where they hold a token in training, else encoded once and kept.

        Args:
            base: whether the captions are those without the new word.
        """
        if not base and self.rows:
            different = list(dict.fromkeys(captions))
            return self.family.encode_prompt(different).picked([different.index(caption) for caption in captions])
        for caption in captions:
            if caption not in self.cached:
                with torch.no_grad():
                    self.cached[caption] = self.family.encode_prompt([caption])
        return joined(*(self.cached[caption] for caption in captions))


@dataclass(frozen=True)
class Errors:
    """What a step found: the loss to descend, and the squared errors of the student and of the base, (B,) each."""

    loss: Tensor
    error: Tensor
    base_error: Tensor | None


def step_errors(student: Student, draw: Draw, objective: Objective, beta: float) -> Errors:
    """The loss of Direct Consistency Optimization, or the plain one of noise prediction, for one draw."""
    family = student.family
    noisy = family.noised(draw.latents, draw.noise, draw.timesteps)
    target = family.target(draw.latents, draw.noise, draw.timesteps)
    frames = draw.frames()
    base_error = None
    if objective == "dco":
        text = replace(student.text([example.caption.base for example in draw.examples], base=True), frames=frames)
        with torch.no_grad(), family.adapters.off():
            base_error = squared_error(family.predict(noisy, draw.timesteps, text), target)
    text = replace(student.text([example.caption.text for example in draw.examples], base=False), frames=frames)
    error = squared_error(family.predict(noisy, draw.timesteps, text), target)
    loss = error.mean() if base_error is None else dco_loss(error, base_error, beta)
    return Errors(loss, error.detach(), base_error)


@torch.no_grad()
def project_rows(student: Student) -> None:
    """Bring every new embedding back to the length of the words it started from."""
    for row, norm in zip(student.all_rows(), student.norms, strict=True):
        row.mul_(norm / row.norm().clamp(min=1e-12))
