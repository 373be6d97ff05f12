"""The second judge's style head as a differentiable reward.

Shapes: B pictures; P rows and columns.
"""

from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from examples.recipes.mini.settings import DEVICE, STYLES
from stickerforge.models.judge.model import load_judge
from stickerforge.models.judge.network import BINS, CHANGES, SOLID

ROOT_EPSILON = 1e-5  # added to shares before their root, whose slope at nothing is infinite
SIGMOID_WIDTH = 0.35  # of the sigmoids that stand for thresholds, as a share of them


class StyleReward:
    """The second judge's style head, with a gradient."""

    def __init__(self) -> None:
        judge = load_judge("second")
        self.pixels, self.head = judge.network.shape.pixels, judge.network.style.to(DEVICE)
        self.place = torch.tensor([judge.styles.index(style) for style in STYLES])

    def features(self, decoded: Tensor) -> Tensor:
        """Of pictures (B, 4, P, P) in [-1, 1], premultiplied; (B, DRAWING_FEATURES)."""
        small = F.interpolate(
            (decoded + 1) / 2, size=self.pixels, mode="bicubic", antialias=True
        ).clamp(0, 1)
        on_white = (small[:, :3] + 1 - small[:, 3:]).clamp(0, 1)
        return soft_features(on_white, small[:, 3] > SOLID)

    def logits(self, features: Tensor) -> Tensor:
        """Of features (B, DRAWING_FEATURES); (B, styles), in the order of STYLES."""
        return self.head(features)[:, self.place]  # type: ignore[no-any-return]


def soft_features(pictures: Tensor, solid: Tensor) -> Tensor:
    """The judges' `drawing_features` with a gradient.

    Roots are softened at nothing, and thresholds have the slope of sigmoids.

    Args:
        pictures: (B, 3, P, P) in [0, 1].
        solid: whether a pixel belongs to the figure, (B, P, P).
    """
    place = pictures.flatten(2) * (BINS - 1)
    below = place.detach().floor().clamp(max=BINS - 2)
    share, below, weight = place - below, below.long(), solid.flatten(1).float()
    palette = pictures.new_zeros((len(pictures), BINS**3))
    for corner in product((0, 1), repeat=3):
        side = torch.tensor(corner, device=pictures.device)[:, None]
        red, green, blue = (below + side).unbind(1)
        near = (side * share + (1 - side) * (1 - share)).prod(1)
        palette = palette.scatter_add(1, (red * BINS + green) * BINS + blue, near * weight)
    changes = []
    for dim in (2, 3):
        step = pictures.diff(dim=dim).abs().amax(1)
        both = (
            solid.narrow(dim - 1, 1, solid.shape[dim - 1] - 1)
            & solid.narrow(dim - 1, 0, solid.shape[dim - 1] - 1)
        ).float()
        pairs = both.sum((1, 2)).clamp(min=1)
        for threshold in CHANGES:
            soft = torch.sigmoid((step - threshold) / (SIGMOID_WIDTH * threshold))
            # The value of the threshold, the slope of the sigmoid.
            passed = soft + ((step > threshold).float() - soft).detach()
            changes.append((passed * both).sum((1, 2)) / pairs)
    shares = palette / weight.sum(1, keepdim=True).clamp(min=1)
    return torch.cat(
        [8 * ((shares + ROOT_EPSILON).sqrt() - ROOT_EPSILON**0.5), 4 * torch.stack(changes, 1)], 1
    )
