"""Denoising of encoded pictures: what methods of training a LoRA have in common.

Shapes: B examples; C, H, W latent channels, rows, columns.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stickerforge.adapters.kinds import LORA, AdapterKind
from stickerforge.adapters.lora_weights import AdapterWeights
from stickerforge.config.schema import TrainingConfig
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.noise_process import NoiseProcess
from stickerforge.objectives.dco import squared_error
from stickerforge.objectives.loss_weighting import snr_weights
from stickerforge.runtime.seeds import derive_seed
from stickerforge.sampling.conditioning import Conditioning
from stickerforge.training.batches import Batch, TrainingExample, sample_batch
from stickerforge.training.defaults import text_learning_rate
from stickerforge.training.methods.base import ParameterGroup, StepOutput
from stickerforge.training.state import TrainState


@dataclass(frozen=True)
class Batches:
    """The data of a step.

    Args:
        reference: of the user's pictures.
        prior: of class images (prior preservation, arXiv:2208.12242); None where none are used.
    """

    reference: Batch
    prior: Batch | None = None


class DenoisingMethod(ABC):
    """What methods share that train a LoRA to denoise pictures of the user."""

    kind: AdapterKind = LORA

    def __init__(
        self,
        state: TrainState,
        reference: Sequence[TrainingExample],
        config: TrainingConfig,
        *,
        seed: int,
        prior: Sequence[TrainingExample] = (),
    ) -> None:
        """Prepare training.

        Args:
            reference: the user's pictures.
            config: with the model's recommendations filled in.
            prior: class images, by which the model is to keep what else it knows.
        """
        self.train_state, self.config, self.seed = state, config, seed
        self.reference, self.prior = reference, prior

    def parameter_groups(self) -> list[ParameterGroup]:
        """The LoRA factors, those on text encoders, and the embeddings, whose length is fixed."""
        config, state = self.config, self.train_state
        text_lr = text_learning_rate(config)
        decay = config.weight_decay
        groups: list[ParameterGroup] = [
            {"params": state.factors, "lr": config.lr, "weight_decay": decay}
        ]
        if state.text_factors:
            groups.append({"params": state.text_factors, "lr": text_lr, "weight_decay": decay})
        if rows := state.embedding_list():
            groups.append({"params": rows, "lr": config.token_lr, "weight_decay": 0.0})
        return groups

    def batch(self, step: int) -> Batches:
        """Examples with noise; class images have noise of their own."""
        config = self.config
        prior = None
        if self.prior:
            prior = self.sample(self.prior, derive_seed(self.seed, "prior"), step, cached_noise=0)
        return Batches(
            self.sample(self.reference, self.seed, step, cached_noise=config.cached_noise), prior
        )

    def sample(
        self, examples: Sequence[TrainingExample], seed: int, step: int, *, cached_noise: int
    ) -> Batch:
        """The batch of a step on the model's device."""
        model, config = self.train_state.model, self.config
        return sample_batch(
            examples,
            model.noise_process.timestep_at,
            seed=seed,
            step=step,
            size=config.batch,
            offset_noise=config.offset_noise,
            cached_noise=cached_noise,
        ).to(model.device)

    def split(self, batch: Batches) -> Sequence[Batches]:
        """The whole: what DCO compares belongs together."""
        return [batch]

    @abstractmethod
    def loss(self, batch: Batches, step: int) -> StepOutput:
        """The loss of a batch."""

    def weighted_error(self, batch: Batch) -> Tensor:
        """Denoising error of the model in training times the loss weight, (B,)."""
        return self.loss_weights(batch) * denoising_error(self.train_state, batch)

    def loss_weights(self, batch: Batch) -> Tensor:
        """Loss weight of each timestep, (B,)."""
        process = self.train_state.model.noise_process
        return loss_weights(process, batch.timesteps, self.config.snr_gamma)

    def after_step(self, output: StepOutput) -> None:
        """Keep the length of the embeddings."""
        self.train_state.project_embeddings()

    def state(self) -> dict[str, Tensor]:
        """The adapter."""
        return self.train_state.tensors()

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave."""
        self.train_state.restore(tensors)

    def weights(self) -> AdapterWeights:
        """A copy of the adapter as it is now."""
        return self.train_state.weights()


def loss_weights(process: NoiseProcess, timesteps: Tensor, snr_gamma: float) -> Tensor:
    """Min-SNR weights of timesteps, (B,); ones where `snr_gamma` is 0."""
    if not snr_gamma:
        return torch.ones(len(timesteps), device=timesteps.device)
    return snr_weights(process.snr(timesteps), snr_gamma, process.prediction)


def denoising_error(state: TrainState, batch: Batch) -> Tensor:
    """Squared error of the model in training on each example, (B,)."""
    captions = [example.caption.text for example in batch.examples]
    return prediction_error(state, batch, captions, base=False)


@torch.no_grad()
def base_denoising_error(state: TrainState, batch: Batch) -> Tensor:
    """Squared error of the base model under captions without the new word, (B,)."""
    captions = [example.caption.base for example in batch.examples]
    with state.adapters.disabled():
        return prediction_error(state, batch, captions, base=True)


def prediction_error(
    state: TrainState, batch: Batch, captions: Sequence[str], *, base: bool
) -> Tensor:
    """Squared error of what the model predicts for the batch under these captions, (B,).

    Captions of different lengths are not brought to one: each is read as it is when pictures are
    generated.
    """
    groups = state.rows_by_length(captions, base=base)
    if len(groups) > 1:
        errors = [
            prediction_error(state, batch.select(rows), [captions[row] for row in rows], base=base)
            for rows in groups
        ]
        order = torch.tensor([row for rows in groups for row in rows]).argsort()
        return torch.cat(errors)[order.to(errors[0].device)]
    return text_error(state.model, batch, state.encode_text(captions, base=base))


def caption_error(state: TrainState, batch: Batch) -> Tensor:
    """Squared error of what the model predicts under captions, some of them left out, (B,).

    A caption that is left out is as long as it would be: so is a prompt's negative, by which
    pictures are guided.
    """
    groups = state.rows_by_length([each.caption.base for each in batch.examples], base=False)
    errors = []
    for rows in groups:
        part = batch.select(rows)
        captions = [example.caption.text for example in part.examples]
        windows = state.model.context_windows(part.examples[0].caption.base)
        text = state.encode_text(captions, base=False, windows=windows)
        errors.append(text_error(state.model, part, text))
    order = torch.tensor([row for rows in groups for row in rows]).argsort()
    return torch.cat(errors)[order.to(errors[0].device)]


def text_error(model: DiffusionModel, batch: Batch, text: Conditioning) -> Tensor:
    """Squared error of what a model predicts for the batch with encoded texts, (B,)."""
    process = model.noise_process
    noisy = process.add_noise(batch.latents, batch.noise, batch.timesteps)
    text = text.including("frames", batch.frames())
    target = process.target(batch.latents, batch.noise, batch.timesteps)
    return squared_error(model.predict(noisy, batch.timesteps, text), target, batch.masks())
