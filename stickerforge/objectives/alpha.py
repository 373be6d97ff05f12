"""Errors of decoded alpha: of what is seen over grounds, of alpha itself, and of its edges.

Shapes: B pictures of H x W pixels. Colours and alpha lie in [0, 1], but for what a network
overshoots; what is decoded has straight alpha, what it is compared with premultiplied.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

SCALES = (1, 2, 4)  # sides of the squares over which alpha is averaged before edges are compared


@dataclass(frozen=True)
class AlphaErrors:
    """Mean absolute errors, scalars.

    Args:
        composite: of the colours over a ground.
        alpha: of alpha.
        gradient: of the differences of alpha between neighbours, mean over scales.
    """

    composite: Tensor
    alpha: Tensor
    gradient: Tensor


def premultiplied(rgba: Tensor) -> Tensor:
    """Straight to premultiplied alpha, (B, 4, H, W)."""
    alpha = rgba[:, 3:]
    return torch.cat([rgba[:, :3] * alpha, alpha], 1)


def composite(picture: Tensor, ground: Tensor) -> Tensor:
    """A premultiplied picture (B, 4, H, W) over an opaque ground, (B, 3, H, W)."""
    return picture[:, :3] + (1 - picture[:, 3:]) * ground


def alpha_errors(decoded: Tensor, target: Tensor, ground: Tensor) -> AlphaErrors:
    """How far decoded pictures are from what they are to be.

    Args:
        decoded: (B, 4, H, W), straight alpha.
        target: (B, 4, H, W), premultiplied.
        ground: (B, 3, H, W), over which both are compared.
    """
    seen = composite(premultiplied(decoded), ground)
    alpha, expected = decoded[:, 3], target[:, 3]
    return AlphaErrors(
        (seen - composite(target, ground)).abs().mean(),
        (alpha - expected).abs().mean(),
        gradient_error(alpha, expected),
    )


def gradient_error(alpha: Tensor, target: Tensor, scales: Sequence[int] = SCALES) -> Tensor:
    """Mean absolute error of the differences between neighbours, mean over scales; a scalar.

    Scales are left out at which fewer than two squares stand side by side.

    Args:
        alpha, target: (B, H, W).
        scales: sides of the squares over which both are averaged first, in pixels.
    """
    difference = (alpha - target)[:, None]
    errors = []
    for scale in scales:
        if min(difference.shape[-2:]) < 2 * scale:
            continue
        squares = F.avg_pool2d(difference, scale)
        rows, columns = squares.diff(dim=-2).abs(), squares.diff(dim=-1).abs()
        errors.append((rows.mean() + columns.mean()) / 2)
    if not errors:
        return difference.sum() * 0
    return sum(errors[1:], errors[0]) / len(errors)
