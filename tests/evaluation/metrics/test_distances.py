"""Distances against the matrix root of scipy, loops, and sets whose distance is known."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.linalg

from stickerforge.evaluation.metrics.distances import frechet_distance, kernel_distance
from stickerforge.evaluation.runner import score_sets
from tests.evaluation.inputs import metric_input


def gaussian(count, size, seed, shift=0.0, scale=1.0):
    return np.random.default_rng(seed).normal(shift, scale, (count, size))


def by_definition(first, second):
    """The formula with an explicit root of the product of the covariances."""
    root = scipy.linalg.sqrtm(np.cov(first.T) @ np.cov(second.T)).real
    return np.square(first.mean(0) - second.mean(0)).sum() + np.trace(
        np.cov(first.T) + np.cov(second.T) - 2 * root
    )


@pytest.mark.parametrize("counts", [(300, 300), (300, 200), (64, 500)])
def test_frechet_against_scipys_matrix_root(counts):
    first, second = (
        gaussian(counts[0], 12, 1),
        gaussian(counts[1], 12, 2, 0.3, 1.7) @ np.diag(np.linspace(0.2, 2, 12)),
    )
    assert frechet_distance(first, second) == pytest.approx(by_definition(first, second), rel=1e-9)


def test_frechet_with_fewer_pictures_than_features():
    first, second = gaussian(9, 40, 1), gaussian(11, 40, 2, 0.5)
    assert frechet_distance(first, second) == pytest.approx(by_definition(first, second), rel=1e-4)


def test_frechet_of_known_gaussians():
    """Two isotropic Gaussians: |m|² + D (s1 - s2)²."""
    first, second = gaussian(200_000, 3, 1), gaussian(200_000, 3, 2, 2.0, 3.0)
    assert frechet_distance(first, second) == pytest.approx(3 * 4 + 3 * (3 - 1) ** 2, rel=0.01)


def test_a_set_against_itself_and_in_any_order():
    first, second = gaussian(50, 6, 1), gaussian(40, 6, 2, 1.0)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9)
    shuffled = np.random.default_rng(3).permutation(first)
    for distance in (frechet_distance, kernel_distance):
        assert distance(shuffled, second) == pytest.approx(distance(first, second), rel=1e-9)
        assert distance(second, first) == pytest.approx(distance(first, second), rel=1e-9)


def test_kernel_distance_against_loops():
    first, second = gaussian(7, 5, 1), gaussian(6, 5, 2, 0.7)
    kernel = lambda x, y: (x @ y / 5 + 1) ** 3  # noqa: E731
    within = [
        np.mean([kernel(x, y) for i, x in enumerate(own) for j, y in enumerate(own) if i != j])
        for own in (first, second)
    ]
    across = np.mean([kernel(x, y) for x in first for y in second])
    assert kernel_distance(first, second) == pytest.approx(sum(within) - 2 * across, rel=1e-12)


def test_kernel_distance_is_unbiased():
    drawn = [
        kernel_distance(gaussian(20, 4, 2 * i), gaussian(20, 4, 2 * i + 1)) for i in range(400)
    ]
    assert abs(np.mean(drawn)) < 4 * np.std(drawn) / 20
    assert min(drawn) < 0 < max(drawn)


@pytest.mark.parametrize("shapes", [((1, 3), (5, 3)), ((5, 3), (5, 4))])
@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_sets_that_cannot_be_compared(distance, shapes):
    with pytest.raises(ValueError, match="cannot be compared"):
        distance(np.zeros(shapes[0]), np.zeros(shapes[1]))


def test_the_kernel_distance_sees_spread_and_is_not_compared_with_one_that_did_not():
    def unit(seed, shift=0.0):
        values = np.random.default_rng(seed).normal(shift, 1, (200, 128))
        return [SimpleNamespace(full=row / np.linalg.norm(row)) for row in values]

    line = [SimpleNamespace(full=np.eye(128)[0] * (-1) ** number) for number in range(200)]
    values = {}
    for name, others in (("line", line), ("shifted", unit(3, 0.05))):
        table = score_sets(metric_input(unit(1), reference=others), {"kernel_distance"})
        values[name] = table.scores[0].value
        assert table.weights == {"kernel_distance@judge": "abc, length sqrt(D)"}
    assert values["line"] > 5 * values["shifted"] > 0


@pytest.mark.parametrize(
    "count, allow_small, refusal",
    [
        (1, True, "1 pictures are too few, 20 would do"),
        (2, False, "2 pictures are too few, 20 would do; --set allow_small=true gives it nev"),
        (2, True, ""),
        (20, False, ""),
    ],
)
def test_sets_that_are_too_small_are_refused(count, allow_small, refusal):
    sets = [[SimpleNamespace(full=row) for row in gaussian(count, 3, seed)] for seed in (1, 2)]
    data = metric_input(sets[0], style_reference=sets[1])
    data.allow_small = allow_small
    table = score_sets(data, {"kernel_distance"})
    assert len(table.scores) == (not refusal) and len(table.refused) == bool(refusal)
    assert all(line.startswith(f"kernel_distance: {refusal}") for line in table.refused)
