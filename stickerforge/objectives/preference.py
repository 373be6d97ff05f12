"""Rewards of pictures for texts, in two parts: what the text says, and what all texts share.

LongAlign (arXiv:2410.11817, Section 4): the vectors of texts lie in a cone around a common
direction, by which a picture is rewarded whatever its text says.

Shapes: N pictures with their texts; D features.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

CENTRE = 0.09  # what the loss falls by, per unit of weight that is missing: it moves its curve only


@dataclass(frozen=True)
class Preference:
    """The rewards of pictures for their texts.

    Args:
        relevant: cosine with the text-relevant part, (N,).
        irrelevant: cosine with the part along the common direction, not weighted, (N,).
        score: relevant + weight * irrelevant, (N,); with weight 1 the plain cosine.
    """

    relevant: Tensor
    irrelevant: Tensor
    score: Tensor


def common_direction(vectors: Tensor) -> Tensor:
    """The unit vector (D,) along the mean of the vectors (N, D) of many texts."""
    return F.normalize(vectors.mean(0), dim=0)


def decompose(texts: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """The text-relevant part (N, D) of vectors of texts, and their shares of the direction, (N,).

    Args:
        texts: (N, D).
        direction: a unit vector (D,), to which the text-relevant part is orthogonal.
    """
    shares = texts @ direction
    return texts - shares[:, None] * direction, shares


def preference(images: Tensor, texts: Tensor, direction: Tensor, weight: float) -> Preference:
    """The rewards of pictures for their texts.

    Args:
        images: unit vectors (N, D).
        texts: (N, D), of unit length or means of such.
        direction: the common direction of texts, a unit vector (D,).
        weight: of the text-irrelevant part; the paper's is 0.3.
    """
    texts, direction = texts.to(images), direction.to(images)
    part, shares = decompose(texts, direction)
    relevant, irrelevant = (images * part).sum(1), shares * (images @ direction)
    return Preference(relevant, irrelevant, relevant + weight * irrelevant)


def preference_loss(scores: Tensor, weight: float) -> Tensor:
    """What falls while the mean score rises, ().

    Args:
        scores: (N,), of `preference` with that weight.
    """
    return 0.5 * (1 - scores.mean()) - CENTRE * (1 - weight)
