"""Training on captioned pictures, every caption read as the tuned model is to read prompts.

The first stage of LongAlign (Liu et al., ICLR 2025, arXiv:2410.11817): the error of denoising, some
pictures without their caption, so that the model can be guided.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch

from stickerforge.config.schema import TrainingConfig
from stickerforge.runtime.seeds import generator
from stickerforge.training.batches import TrainingExample
from stickerforge.training.methods.base import StepOutput
from stickerforge.training.methods.denoising import Batches, DenoisingMethod, caption_error
from stickerforge.training.state import TrainState


class CaptionTuning(DenoisingMethod):
    """Minimizes the denoising error of captioned pictures, a share of them without caption."""

    def __init__(
        self,
        state: TrainState,
        reference: Sequence[TrainingExample],
        config: TrainingConfig,
        *,
        seed: int,
        caption_dropout: float,
        part: int,
    ) -> None:
        """As `DenoisingMethod`.

        Args:
            caption_dropout: share of the pictures without caption, 0 to 1.
            part: pictures that are computed at once.
        """
        super().__init__(state, reference, config, seed=seed)
        self.caption_dropout, self.part = caption_dropout, part

    def batch(self, step: int) -> Batches:
        """Examples with noise, some of them without their caption."""
        batch = super().batch(step).reference
        positions = torch.rand(
            len(batch.examples), generator=generator(self.seed, "caption dropout", step)
        )
        examples = [
            replace(example, caption=replace(example.caption, text=""))
            if position < self.caption_dropout
            else example
            for position, example in zip(positions.tolist(), batch.examples, strict=True)
        ]
        return Batches(replace(batch, examples=examples))

    def split(self, batch: Batches) -> Sequence[Batches]:
        """As many pictures at once as were asked for."""
        rows = range(len(batch.reference.examples))
        if len(rows) <= self.part or len(rows) % self.part:
            return [batch]
        parts = [rows[start : start + self.part] for start in rows[:: self.part]]
        return [Batches(batch.reference.select(part)) for part in parts]

    def loss(self, batch: Batches, step: int) -> StepOutput:
        """The mean error."""
        error = caption_error(self.train_state, batch.reference).mean()
        return StepOutput(error, {"error": error.detach()})
