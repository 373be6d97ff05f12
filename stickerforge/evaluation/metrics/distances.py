"""How far two sets of pictures are apart, from their features in float64.

Shapes: N, M pictures; D features.
"""

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.floating]


def frechet_distance(first: Features, second: Features) -> float:
    """|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^1/2) of Gaussians through (N, D) and (M, D) (Heusel et al., arXiv:1706.08500, Equation 6).

    With C1 = R1^T R1 and C2 = R2^T R2 the trace of the root is the sum of the singular values of R1 R2^T, which needs no root
    of a matrix that is not symmetric. Covariances divide by N - 1.

    Raises:
        ValueError: fewer than two pictures, or different numbers of features.
    """
    one, two = check_features(first, second)
    roots = [root_of_covariance(values) for values in (one, two)]
    cross = np.linalg.norm(roots[0] @ roots[1].T, "nuc")
    distance = (
        np.square(one.mean(0) - two.mean(0)).sum()
        + sum(np.square(root).sum() for root in roots)
        - 2 * cross
    )
    return float(max(distance, 0.0))


def root_of_covariance(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """R with R^T R = C, at most (D, D)."""
    return np.asarray(np.linalg.qr((values - values.mean(0)) / np.sqrt(len(values) - 1), mode="r"))


def kernel_distance(first: Features, second: Features) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x·y / D + 1)³ (Bińkowski et al., arXiv:1801.01401).

    The kernel is meant for features of length about sqrt(D), as those of Inception are; of much smaller ones it sees little but their
    mean. May be a little below 0 for sets of one distribution.

    Raises:
        ValueError: fewer than two pictures, or different numbers of features.
    """
    one, two = check_features(first, second)
    return float(
        without_diagonal(cubic(one, one))
        + without_diagonal(cubic(two, two))
        - 2 * cubic(one, two).mean()
    )


def cubic(first: Features, second: Features) -> Features:
    """The kernel between all pairs, (N, M)."""
    result: Features = (first @ second.T / first.shape[1] + 1) ** 3
    return result


def without_diagonal(kernel: Features) -> float:
    """Mean over the pairs of different pictures."""
    count = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))


def check_features(
    first: Features, second: Features
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both in float64.

    Raises:
        ValueError: fewer than two pictures, or different numbers of features.
    """
    if min(len(first), len(second)) < 2 or first.shape[1:] != second.shape[1:]:
        raise ValueError(f"features {first.shape} and {second.shape} cannot be compared")
    return np.asarray(first, np.float64), np.asarray(second, np.float64)
