"""Training of an image adapter: pictures are denoised with another picture beside their caption.

IP-Adapter (arXiv:2308.06721): the error of denoising, where some pictures have no reference, some
no caption, and some neither, so that both can be guided.

Shapes: B pictures; C, S channels and side of what the image encoder reads.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from stickerforge.adapters.image_prompt_training import TrainableImagePrompt
from stickerforge.adapters.image_prompt_weights import ImagePromptWeights
from stickerforge.adapters.kinds import IMAGE, AdapterKind
from stickerforge.config.schema import DropConfig, TrainingConfig
from stickerforge.models.families.base import DiffusionModel
from stickerforge.runtime.seeds import derive_seed, generator
from stickerforge.sampling.conditioning import Conditioning
from stickerforge.training.batches import Batch, TrainingExample, batch_indices, sample_batch
from stickerforge.training.frozen_texts import FrozenTexts
from stickerforge.training.methods.base import ParameterGroup, StepOutput
from stickerforge.training.methods.denoising import text_error
from stickerforge.training.references import References


@dataclass(frozen=True)
class PromptedBatch:
    """The examples of a step with what they are prompted with.

    Args:
        batch: an example that is trained without its caption has an empty one.
        windows: as how many each caption is read, whether it is left out or not.
        pixels: of the references, (B, C, S, S).
        unseen: which references are left out, (B,).
    """

    batch: Batch
    windows: list[int]
    pixels: Tensor
    unseen: Tensor

    def select(self, rows: Sequence[int]) -> "PromptedBatch":
        """The batch of these rows alone."""
        rows = list(rows)
        windows = [self.windows[row] for row in rows]
        return PromptedBatch(self.batch.select(rows), windows, self.pixels[rows], self.unseen[rows])


class ImagePromptTuning:
    """Minimizes the error of denoising with a reference beside the caption."""

    kind: AdapterKind = IMAGE

    def __init__(
        self,
        model: DiffusionModel,
        adapter: TrainableImagePrompt,
        examples: Sequence[TrainingExample],
        references: References,
        config: TrainingConfig,
        *,
        drops: DropConfig,
        seed: int,
        part: int,
    ) -> None:
        """Args:
        adapter: on the model, trained in place.
        references: one for each example.
        drops: the shares of examples without reference, caption, or both.
        part: pictures that are computed at once; the batch is so many or a multiple.
        """
        self.model, self.adapter, self.examples = model, adapter, examples
        self.references, self.config, self.drops = references, config, drops
        self.seed, self.part = seed, part
        self.texts = FrozenTexts(model)
        self.nothing = references.encoder.no_features(adapter.shape.variant)

    def parameter_groups(self) -> list[ParameterGroup]:
        """The projection, and W'_k and W'_v of every layer."""
        lr, decay = self.config.lr, self.config.weight_decay
        return [{"params": self.adapter.parameters(), "lr": lr, "weight_decay": decay}]

    def batch(self, step: int) -> PromptedBatch:
        """Examples with noise and references; some without one or without their caption."""
        size = self.config.batch
        indices = batch_indices(self.examples, self.seed, step, size)
        batch = self.sample(self.examples, self.seed, step, size)
        return self.prompted(batch, self.references.pixels(indices, step), step)

    def batches_of_all(self, number: int) -> Iterator[PromptedBatch]:
        """Every example once, with the same noise for the same number, in parts of one shape."""
        shapes: dict[tuple[int, ...], list[int]] = {}
        for index, example in enumerate(self.examples):
            shapes.setdefault(tuple(example.mean.shape), []).append(index)
        for indices in shapes.values():
            for start in range(0, len(indices), self.part):
                rows = indices[start : start + self.part]
                own, seed = (
                    [self.examples[row] for row in rows],
                    derive_seed(self.seed, "part", rows[0]),
                )
                order = batch_indices(own, seed, number, len(rows))
                batch = self.sample(own, seed, number, len(rows))
                pixels = torch.cat([self.references.plain(rows[place]) for place in order])
                yield self.prompted(batch, pixels, number)

    def sample(self, examples: Sequence[TrainingExample], seed: int, step: int, size: int) -> Batch:
        """Examples with noise, on the model's device."""
        return sample_batch(
            examples,
            self.model.noise_process.timestep_at,
            seed=seed,
            step=step,
            size=size,
            offset_noise=0.0,
        ).to(self.model.device)

    def prompted(self, batch: Batch, pixels: Tensor, step: int) -> PromptedBatch:
        """Examples with references, some of which are left out, as are some captions."""
        random = generator(self.seed, "drops", step)
        no_image, no_text = drop_masks(torch.rand(len(pixels), generator=random), self.drops)
        windows = [self.model.context_windows(each.caption.text) for each in batch.examples]
        examples = [
            replace(example, caption=replace(example.caption, text="")) if gone else example
            for example, gone in zip(batch.examples, no_text.tolist(), strict=True)
        ]
        return PromptedBatch(replace(batch, examples=examples), windows, pixels, no_image)

    def split(self, batch: PromptedBatch) -> Sequence[PromptedBatch]:
        """As many pictures at once as were asked for."""
        rows = range(len(batch.windows))
        if len(rows) <= self.part:
            return [batch]
        return [batch.select(rows[start : start + self.part]) for start in rows[:: self.part]]

    def loss(self, batch: PromptedBatch, step: int) -> StepOutput:
        """The mean error."""
        error = self.errors(batch).mean()
        return StepOutput(error, {"error": error.detach()})

    def errors(self, batch: PromptedBatch, *, image: bool = True) -> Tensor:
        """The error of each picture, (B,).

        Args:
            image: whether the references are read.
        """
        tokens = self.tokens(batch) if image else None
        groups: dict[int, list[int]] = {}
        for row, windows in enumerate(batch.windows):
            groups.setdefault(windows, []).append(row)
        errors = []
        for windows, rows in groups.items():
            part = batch.batch.select(rows)
            text = self.texts.encode([each.caption.text for each in part.examples], windows)
            if tokens is not None:
                text = text.including("image_tokens", tokens[rows])
            errors.append(self.text_errors(part, text))
        order = torch.tensor([row for rows in groups.values() for row in rows]).argsort()
        return torch.cat(errors)[order.to(errors[0].device)]

    def text_errors(self, batch: Batch, text: Conditioning) -> Tensor:
        """The error of what the model predicts for each picture with encoded texts, (B,)."""
        return text_error(self.model, batch, text)

    def tokens(self, batch: PromptedBatch) -> Tensor:
        """The tokens of references, or of no picture where they are left out, (B, 1, T, D)."""
        encoder, variant = self.references.encoder, self.adapter.shape.variant
        seen = encoder.features(batch.pixels, variant).clone()  # that can be saved for a gradient
        seen[batch.unseen] = self.nothing
        return self.adapter.tokens(seen.to(self.model.device))

    def after_step(self, output: StepOutput) -> None:
        """Nothing."""

    def state(self) -> dict[str, Tensor]:
        """The adapter."""
        return self.adapter.tensors()

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put it back."""
        self.adapter.restore(tensors)

    def weights(self) -> ImagePromptWeights:
        """A copy of the adapter as it is now."""
        return self.adapter.weights()


def drop_masks(chances: Tensor, drops: DropConfig) -> tuple[Tensor, Tensor]:
    """(which pictures have no reference, which no caption), (B,) each.

    Args:
        chances: of each picture, from 0 to 1, (B,).
    """
    only_image, only_text = chances < drops.image, chances < drops.image + drops.text
    either = chances < drops.image + drops.text + drops.both
    return only_image | (either & ~only_text), only_text & ~only_image | (either & ~only_text)
