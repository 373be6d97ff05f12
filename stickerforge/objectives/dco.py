"""Direct Consistency Optimization (Lee et al., NeurIPS 2024, arXiv:2402.12004).

Shapes: B pictures; C, H, W latent channels, rows, columns.
"""

from torch import Tensor
from torch.nn import functional as F


def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Error of each picture, (B,), in float32.

    The mean over C, H and W, not the sum of the paper's norm: beta = 1000 refers to the mean, as in the
    authors' code; with the sum it would be tens of thousands of times too strong.
    """
    return (prediction.float() - target.float()).square().flatten(1).mean(1)


def dco_loss(error: Tensor, base_error: Tensor, beta: float) -> Tensor:
    """-log sigmoid(-beta (error - base_error)) for each picture, averaged (Equation 11).

    Its gradient is that of the plain loss, beta (1 - sigmoid(-beta (error - base_error))) times: full where the
    picture is fitted worse than by the base, and fading out where it is fitted better already (Equation 12).

    Args:
        error: of the model in training, (B,).
        base_error: of the frozen base under the same noise and timestep, (B,); no gradient.
        beta: how much better than the base is enough; larger stays closer to the base.
    """
    return F.softplus(beta * (error - base_error)).mean()
