"""Direct Consistency Optimization (Lee et al., NeurIPS 2024, arXiv:2402.12004).

Shapes: B examples.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from stickerforge.config.schema import TrainingConfig
from stickerforge.objectives.dco import automatic_beta, dco_loss, update_running_mean
from stickerforge.training.batches import Batch, TrainingExample
from stickerforge.training.methods.base import StepOutput
from stickerforge.training.methods.denoising import Batches, DenoisingMethod, base_denoising_error
from stickerforge.training.state import TrainState


class Dco(DenoisingMethod):
    """Fits the user's pictures better than the base model does, and no further than that.

    With `cached_noise` the base model's error is computed once for each example and noise.
    """

    def __init__(
        self,
        state: TrainState,
        reference: Sequence[TrainingExample],
        config: TrainingConfig,
        *,
        seed: int,
        prior: Sequence[TrainingExample] = (),
    ) -> None:
        """As `DenoisingMethod`."""
        super().__init__(state, reference, config, seed=seed, prior=prior)
        self.mean_gap = 0.0  # running mean of |error - base error|, which an automatic beta follows
        self.base_errors: Tensor | None = None  # (examples, noises), NaN where not known yet
        if config.cached_noise:
            self.base_errors = torch.full((len(reference), config.cached_noise), math.nan)

    def beta(self, step: int) -> float:
        """How strongly this step is held to the base model."""
        beta = self.config.beta
        return automatic_beta(self.mean_gap, step) if beta == "auto" else beta

    def loss(self, batch: Batches, step: int) -> StepOutput:
        """The loss of DCO, plus the error of class images times `prior_weight` and beta / 2.

        So class images count as reference pictures do that are fitted no better than by the base.
        """
        beta = self.beta(step)
        base_error = self.loss_weights(batch.reference) * self.base_error(batch.reference)
        error = self.weighted_error(batch.reference)
        loss = dco_loss(error, base_error, beta, self.config.reduction)
        if batch.prior is not None:
            prior_weight = self.config.prior_weight * (beta / 2)
            loss = loss + prior_weight * self.weighted_error(batch.prior).mean()
        error = error.detach()
        gap = error - base_error
        metrics: dict[str, Tensor | float] = {
            "error": error.mean(),
            "base_error": base_error.mean(),
            "gap": gap.abs().mean(),
            "better": (gap < 0).float().mean(),
            "beta": beta,
        }
        return StepOutput(loss, metrics)

    @torch.no_grad()
    def base_error(self, batch: Batch) -> Tensor:
        """Squared error of the base model, (B,), from the cache where it is there."""
        cache = self.base_errors
        if cache is None:
            return base_denoising_error(self.train_state, batch)
        at = tuple(torch.tensor(column) for column in zip(*batch.noise_indices, strict=True))
        if missing := cache[at].isnan().nonzero().flatten().tolist():
            errors = base_denoising_error(self.train_state, batch.select(missing))
            for row, error in zip(missing, errors.cpu(), strict=True):
                cache[batch.noise_indices[row]] = error
        return cache[at].to(batch.latents.device)

    def after_step(self, output: StepOutput) -> None:
        """Keep the length of the embeddings, and follow the gap to the base model."""
        super().after_step(output)
        self.mean_gap = update_running_mean(self.mean_gap, float(output.metrics["gap"]))

    def state(self) -> dict[str, Tensor]:
        """The adapter, the running mean, and the known errors of the base model."""
        tensors = super().state()
        tensors["mean_gap"] = torch.tensor(self.mean_gap, dtype=torch.float64)
        if self.base_errors is not None:
            tensors["reference"] = self.base_errors  # the name in checkpoints of earlier versions
        return tensors

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave."""
        super().restore(tensors)
        self.mean_gap = float(tensors["mean_gap"])
        if self.base_errors is not None:
            self.base_errors.copy_(tensors["reference"])
