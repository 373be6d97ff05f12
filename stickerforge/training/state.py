"""What training changes: adapter, embeddings, running means; saved and restored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from stickerforge.adapters.lora_layers import AdapterSet, enable_gradients
from stickerforge.adapters.lora_weights import AdapterWeights, LoraWeights
from stickerforge.errors import InputError
from stickerforge.models.families.base import DiffusionModel
from stickerforge.sampling.conditioning import Conditioning, join
from stickerforge.training.checkpoint import load_optimizer, optimizer_tensors
from stickerforge.training.config import TrainingConfig

ADAPTER = "taught"  # the adapter's name within the network


@dataclass
class TrainState:
    """A model with one adapter in training.

    Args:
        factors: of the adapter named `name`, on the denoiser; `text_factors` on the text encoders.
        rows: the embeddings in training: placeholder -> text tower -> (D,).
        norms: the length that each row keeps, in the same order as `all_rows`.
        reference: the base's errors that are known already, (examples, draws), else not a number; None where draws are not kept.
        mean_gap: running mean of |error - base error|, which an automatic beta follows.
    """

    family: DiffusionModel
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
        if not base and (
            self.text_factors or any(word in caption for word in self.rows for caption in captions)
        ):
            different = list(dict.fromkeys(captions))
            return self.family.encode_prompt(different).picked(
                [different.index(caption) for caption in captions]
            )
        for caption in captions:
            if caption not in self.cached:
                with torch.no_grad(), AdapterSet(self.family).disabled():
                    self.cached[caption] = self.family.encode_prompt([caption])
        return join(*(self.cached[caption] for caption in captions))


def init_state(
    family: DiffusionModel, course: TrainingConfig, tokens: dict[str, str]
) -> TrainState:
    """The model with a fresh adapter, and new tokens that start where their class words are.

    Args:
        tokens: placeholder -> class words.
    """
    factors = enable_gradients(
        AdapterSet(family).add_trainable(ADAPTER, course.rank, course.layers, course.seed)
    )
    text_factors = (
        enable_gradients(
            AdapterSet(family).add_trainable_text(ADAPTER, course.text_rank, course.seed)
        )
        if course.text_rank
        else []
    )
    rows = {
        placeholder: family.add_token(placeholder, family.word_embeddings(words))
        for placeholder, words in tokens.items()
    }
    student = TrainState(family, ADAPTER, factors, rows, text_factors)
    student.norms = [float(row.detach().norm()) for row in enable_gradients(student.all_rows())]
    return student


def current_weights(student: TrainState) -> AdapterWeights:
    """What the student has learned so far, apart from the network."""
    rows = {
        name: {tower: row.detach().cpu().clone() for tower, row in towers.items()}
        for name, towers in student.rows.items()
    }
    return AdapterWeights(AdapterSet(student.family).weights(student.name), rows)


def state_tensors(student: TrainState, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Everything that the next step depends on."""
    now = current_weights(student)
    tensors = {f"down/{layer}": factors.down for layer, factors in now.lora.items()}
    tensors |= {f"up/{layer}": factors.up for layer, factors in now.lora.items()}
    tensors |= {
        f"token/{tower}/{name}": row
        for name, towers in now.tokens.items()
        for tower, row in towers.items()
    }
    tensors["mean_gap"] = torch.tensor(student.mean_gap, dtype=torch.float64)
    if student.reference is not None:
        tensors["reference"] = student.reference
    return tensors | optimizer_tensors(optimizer)


@torch.no_grad()
def restore(
    student: TrainState, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]
) -> None:
    """Put back what `state` gave.

    Raises:
        InputError: it was made by other versions of the libraries, with other names.
    """
    if {
        key: value.shape
        for key, value in state_tensors(student, optimizer).items()
        if "optimizer" not in key
    } != {key: value.shape for key, value in tensors.items() if "optimizer" not in key}:
        raise InputError(
            "the checkpoint was written by other versions of the libraries",
            "start over with --force",
        )
    layers = [key.removeprefix("down/") for key in tensors if key.startswith("down/")]
    AdapterSet(student.family).load(
        student.name,
        {
            layer: LoraWeights(tensors[f"down/{layer}"], tensors[f"up/{layer}"], 0.0)
            for layer in layers
        },
    )
    for name, towers in student.rows.items():
        for tower, row in towers.items():
            row.copy_(tensors[f"token/{tower}/{name}"])
    student.mean_gap = float(tensors["mean_gap"])
    if student.reference is not None:
        student.reference.copy_(tensors["reference"])
    load_optimizer(optimizer, tensors)


@torch.no_grad()
def project_embeddings(student: TrainState) -> None:
    """Bring every new embedding back to the length of the words it started from."""
    for row, norm in zip(student.all_rows(), student.norms, strict=True):
        row.mul_(norm / row.norm().clamp(min=1e-12))
