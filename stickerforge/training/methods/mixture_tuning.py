"""Training of the gates of a mixture of LoRAs (VersaT2I, arXiv:2403.18493).

The error of denoising captioned pictures that each LoRA's aspect chose, and a term that holds the
use of the LoRAs in balance. Neither the LoRAs nor the model change.

Shapes: B pictures; L layers; A LoRAs; U width of what gates read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from stickerforge.adapters.kinds import MIXTURE, AdapterKind
from stickerforge.adapters.lora_layers import AdapterSet
from stickerforge.adapters.mixture import AttachedMixture
from stickerforge.adapters.mixture_weights import MixtureWeights
from stickerforge.config.schema import TrainingConfig
from stickerforge.models.families.base import DiffusionModel
from stickerforge.objectives.mixture import balance
from stickerforge.training.batches import Batch, TrainingExample
from stickerforge.training.frozen_texts import FrozenTexts
from stickerforge.training.methods.base import ParameterGroup, StepOutput
from stickerforge.training.methods.caption_tuning import CaptionTuning
from stickerforge.training.methods.denoising import Batches, text_error
from stickerforge.training.state import TrainState

GATES = "gates"  # in a checkpoint


class MixtureTuning(CaptionTuning):
    """Minimizes the denoising error plus `balance_weight` times `objectives.mixture.balance`."""

    kind: AdapterKind = MIXTURE

    def __init__(
        self,
        model: DiffusionModel,
        mixture: AttachedMixture,
        start: MixtureWeights,
        examples: Sequence[TrainingExample],
        config: TrainingConfig,
        *,
        seed: int,
        balance_weight: float,
        caption_dropout: float,
        part: int,
    ) -> None:
        """Args:
        mixture: `start` on the model; its gates are trained in place.
        caption_dropout: share of the pictures without caption, 0 to 1.
        part: pictures that are computed at once, over which balance is taken, too.
        """
        state = TrainState(model, AdapterSet(model), [])
        super().__init__(
            state, examples, config, seed=seed, caption_dropout=caption_dropout, part=part
        )
        self.model, self.texts = model, FrozenTexts(model)
        self.mixture, self.start, self.balance_weight = mixture, start, balance_weight
        self.gates = mixture.train_gates()

    def parameter_groups(self) -> list[ParameterGroup]:
        """The gates."""
        lr, decay = self.config.lr, self.config.weight_decay
        return [{"params": [self.gates], "lr": lr, "weight_decay": decay}]

    def loss(self, batch: Batches, step: int) -> StepOutput:
        """The mean error, and the balance; "share_NAME" is what a LoRA counts on average."""
        with self.mixture.recording() as passes:
            error = self.errors(batch.reference).mean()
        gates = torch.cat(passes)
        evenness = balance(gates)
        shares = gates.detach().mean((0, 1))
        metrics = {f"share_{name}": shares[i] for i, name in enumerate(self.start.names)}
        return StepOutput(
            error + self.balance_weight * evenness,
            {"error": error.detach(), "balance": evenness.detach(), **metrics},
        )

    def errors(self, batch: Batch) -> Tensor:
        """The error of each picture, (B,); a caption that is left out is as long as it would be.

        Not as `caption_error`: peft's switch, which that uses for texts, turns gradients of the
        LoRAs on.
        """
        captions = [example.caption.base for example in batch.examples]
        groups = self.train_state.rows_by_length(captions, base=False)
        errors = []
        for rows in groups:
            part = batch.select(rows)
            windows = self.model.context_windows(part.examples[0].caption.base)
            text = self.texts.encode([each.caption.text for each in part.examples], windows)
            errors.append(text_error(self.model, part, text))
        order = torch.tensor([row for rows in groups for row in rows]).argsort()
        return torch.cat(errors)[order.to(errors[0].device)]

    def after_step(self, output: StepOutput) -> None:
        """Nothing."""

    def state(self) -> dict[str, Tensor]:
        """The gates, (L, A, U)."""
        return {GATES: self.gates.detach().cpu().clone()}

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put them back."""
        self.gates.copy_(tensors[GATES])

    def weights(self) -> MixtureWeights:  # type: ignore[override]
        """The mixture with a copy of its gates as they are now."""
        return replace(self.start, gates=self.mixture.gates.by_layer())
