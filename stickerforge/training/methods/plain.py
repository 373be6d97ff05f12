"""Ordinary LoRA training: the error of denoising (Ho et al., arXiv:2006.11239, Equation 14)."""

from stickerforge.training.methods.base import StepOutput
from stickerforge.training.methods.denoising import Batches, DenoisingMethod


class Plain(DenoisingMethod):
    """Minimizes the denoising error of the user's pictures."""

    def loss(self, batch: Batches, step: int) -> StepOutput:
        """The mean error, plus that of class images times `prior_weight`."""
        error = self.weighted_error(batch.reference)
        loss = error.mean()
        if batch.prior is not None:
            loss = loss + self.config.prior_weight * self.weighted_error(batch.prior).mean()
        return StepOutput(loss, {"error": error.detach().mean()})
