"""Direct Consistency Optimization (Lee et al., NeurIPS 2024, arXiv:2402.12004).

Shapes: B pictures; C, H, W latent channels, rows, columns.
"""

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

Reduction = Literal["sample", "batch"]
GAP_DECAY = 0.99  # decay of the mean gap that an automatic beta follows
BETA_RANGE = (1.0, 5000.0)  # an automatic beta stays within


def squared_error(prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Error of each picture, (B,), in float32.

    The mean over C, H and W, not the sum of the paper's norm: beta = 1000 refers to the mean, as in the
    authors' code; with the sum it would be tens of thousands of times too strong.

    Args:
        weight: how much each place counts, (B, H, W), at least 0 and not all 0; without, all alike.
    """
    squares = (prediction.float() - target.float()).square()
    if weight is None:
        return squares.flatten(1).mean(1)
    return (squares.mean(1) * weight).flatten(1).sum(1) / weight.flatten(1).sum(1)


def dco_loss(
    error: Tensor, base_error: Tensor, beta: float, reduction: Reduction = "sample"
) -> Tensor:
    """-log sigmoid(-beta (error - base_error)) for each picture, averaged (Equation 11).

    Its gradient is that of the plain loss, beta (1 - sigmoid(-beta (error - base_error))) times: full where the
    picture is fitted worse than by the base, and fading out where it is fitted better already (Equation 12).

    Args:
        error: of the model in training, (B,).
        base_error: of the frozen base under the same noise and timestep, (B,); no gradient.
        beta: how much better than the base is enough; larger stays closer to the base.
        reduction: "batch" averages the errors before the sigmoid instead, as the authors' code does: then one
            picture that is learned well lets others pass. The same for one picture.
    """
    gap = error - base_error
    return F.softplus(beta * (gap.mean() if reduction == "batch" else gap)).mean()


def update_running_mean(mean_gap: float, gap: Tensor) -> float:
    """The running mean of |error - base_error| after one more batch of gaps (B,)."""
    return GAP_DECAY * mean_gap + (1 - GAP_DECAY) * float(gap.abs().mean())


def automatic_beta(mean_gap: float, batches: int) -> float:
    """The beta under which the typical gap counts 1, so that learned pictures begin to be let go.

    Args:
        mean_gap: as `followed` has it after so many batches from 0.
    """
    seen = mean_gap / (1 - GAP_DECAY**batches) if batches else 0.0
    lowest, highest = BETA_RANGE
    return min(max(1 / seen, lowest), highest) if seen else highest
