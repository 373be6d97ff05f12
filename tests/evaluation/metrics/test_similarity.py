"""Cosines with references, mean directions."""

import numpy as np
import pytest

from stickerforge.evaluation.metrics.similarity import cosines, mean_directions


def unit(values):
    values = np.asarray(values, np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def test_cosines_with_references():
    values = cosines(unit([[1, 0], [0, 2]]), unit([[3, 0], [1, 1]]))
    mean, best = values.mean(1), values.max(1)
    assert mean == pytest.approx([(1 + 0.5**0.5) / 2, 0.5**0.5 / 2]) and best == pytest.approx(
        [1, 0.5**0.5]
    )


def test_references_against_themselves_are_one():
    vectors = unit(np.random.default_rng(0).normal(size=(5, 8)))
    assert cosines(vectors, vectors).max(1) == pytest.approx(np.ones(5))


def test_mean_directions_are_of_unit_length_in_the_order_of_the_prompts():
    vectors = unit([[1, 0], [0, 1], [-1, 0], [1, 0]])
    means = mean_directions(vectors, ["a", "a", "b", "c"], ["b", "a"])
    assert means == pytest.approx(np.array([[-1, 0], [0.5**0.5, 0.5**0.5]]))
