"""How far two sets of pictures are apart, from their features in float64.

Shapes: N, M pictures; D features.
"""

import numpy as np
from numpy.typing import NDArray

from stickerforge.evaluation.metrics.base import MetricInput, NotMeasured, metric

Features = NDArray[np.floating]
KERNEL_FEWEST = 20  # pictures in either set
FRECHET_FEWEST = 4  # the same, times the number of features


@metric(
    "kernel_distance",
    group="distance",
    better="lower",
    about="unbiased kernel distance to the references (features of length sqrt(D))",
    encoded=True,
    variant="length sqrt(D)",  # not to be compared with one of features of length 1
)
def kernel(data: MetricInput) -> float | None:
    """`kernel_distance` to the references, of features brought to the length it is meant for."""
    role = reference_role(data)
    if not role:
        return None
    ours, theirs = data.features(), data.features(role)
    check_sizes(ours, theirs, KERNEL_FEWEST, allow_small=data.allow_small)
    length = ours.shape[1] ** 0.5
    return kernel_distance(length * ours, length * theirs)


@metric(
    "frechet_distance",
    group="distance",
    better="lower",
    about="Fréchet distance to the references",
    encoded=True,
)
def frechet(data: MetricInput) -> float | None:
    """`frechet_distance` to the references."""
    role = reference_role(data)
    if not role:
        return None
    ours, theirs = data.features(), data.features(role)
    check_sizes(ours, theirs, FRECHET_FEWEST * ours.shape[1], allow_small=data.allow_small)
    return frechet_distance(ours, theirs)


def reference_role(data: MetricInput) -> str:
    """The set that distances are measured to: that of the style where there is one, or ""."""
    return next((role for role in ("style_reference", "reference") if role in data.sets), "")


def check_sizes(ours: Features, theirs: Features, fewest: int, *, allow_small: bool) -> None:
    """Refuse sets that are too small to say anything.

    Args:
        fewest: pictures that would do in either set.
        allow_small: whether two pictures are enough.

    Raises:
        NotMeasured: they are too small.
    """
    count = min(len(ours), len(theirs))
    if count < 2:
        raise NotMeasured(f"{count} pictures are too few, {fewest} would do")
    if count < fewest and not allow_small:
        raise NotMeasured(
            f"{count} pictures are too few, {fewest} would do; "
            "--set allow_small=true gives it nevertheless"
        )


def frechet_distance(first: Features, second: Features) -> float:
    """|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^1/2) of Gaussians through (N, D) and (M, D).

    Equation 6 of Heusel et al., arXiv:1706.08500. With C1 = R1^T R1 and C2 = R2^T R2 the trace of
    the root is the sum of the singular values of R1 R2^T, which needs no root of a matrix that is
    not symmetric. Covariances divide by N - 1.

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
    """Unbiased squared maximum mean discrepancy with the kernel (x·y / D + 1)³.

    Bińkowski et al., arXiv:1801.01401. The kernel is meant for features of length about sqrt(D), as
    those of Inception are; of much smaller ones it sees little but their mean. May be a little
    below 0 for sets of one distribution.

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
