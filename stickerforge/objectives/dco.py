"""Direct Consistency Optimization (Lee et al., NeurIPS 2024, arXiv:2402.12004).

Shapes: B pictures; C, H, W latent channels, rows, columns.
"""

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

Reduction = Literal["sample", "batch"]
GAP_DECAY = 0.99  # decay of the mean gap that an automatic beta follows
BETA_RANGE = (1.0, 5000.0)  # an automatic beta stays within


def squared_error(prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean squared error of each picture, (B,), in float32.

    The mean over C, H and W, not the sum of the paper's norm: beta = 1000 refers to the mean, as in
    the authors' code; with the sum it would be tens of thousands of times too strong.

    Args:
        prediction: (B, C, H, W).
        target: (B, C, H, W).
        mask: weight of each place, (B, H, W), at least 0 and not all 0; None for all alike.
    """
    squares = (prediction.float() - target.float()).square()
    if mask is None:
        return squares.flatten(1).mean(1)
    return (squares.mean(1) * mask).flatten(1).sum(1) / mask.flatten(1).sum(1)


def dco_loss(
    error: Tensor, base_error: Tensor, beta: float, reduction: Reduction = "sample"
) -> Tensor:
    """-log sigmoid(-beta (error - base_error)), averaged over the pictures (Equation 11).

    Its gradient is that of the plain loss times beta (1 - sigmoid(-beta (error - base_error))):
    large where the model in training fits a picture worse than the base does, and fading out where
    it fits the picture better already (Equation 12).

    Args:
        error: of the model in training, (B,).
        base_error: of the frozen base under the same noise and timestep, (B,); no gradient.
        beta: how much better than the base is enough; larger stays closer to the base.
        reduction: "batch" averages the errors before the sigmoid, as the authors' code does: then
            one picture that is learned well lets others pass. The same for one picture.
    """
    gap = error - base_error
    return dco_losses(gap.mean() if reduction == "batch" else gap, beta).mean()


def dco_losses(gap: Tensor, beta: float) -> Tensor:
    """-log sigmoid(-beta gap) of each picture, of the shape of the gap.

    Args:
        gap: error - base_error.
    """
    return F.softplus(beta * gap)


def update_running_mean(mean_gap: float, gap: float) -> float:
    """The running mean after one more batch, whose mean of |error - base_error| is `gap`."""
    return GAP_DECAY * mean_gap + (1 - GAP_DECAY) * gap


def automatic_beta(mean_gap: float, batches: int) -> float:
    """The beta that makes beta times the typical gap 1, within `BETA_RANGE`.

    So the gradient of a picture begins to fade once it is fitted as much better as is usual.

    Args:
        mean_gap: what `update_running_mean` gives after so many batches, from 0.
    """
    typical = mean_gap / (1 - GAP_DECAY**batches) if batches else 0.0
    lowest, highest = BETA_RANGE
    return min(max(1 / typical, lowest), highest) if typical else highest
