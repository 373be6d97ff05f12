"""Diversity and duplicates."""

import numpy as np
import pytest

from stickerforge.evaluation.metrics import diversity
from stickerforge.evaluation.metrics.diversity import near_duplicates, prompt_diversity


def unit(values):
    values = np.asarray(values, np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def test_diversity_is_of_pairs_of_one_prompt():
    vectors = unit([[1, 0], [1, 0], [0, 1], [1, 1]])
    assert prompt_diversity(vectors, ["a", "a", "a", "b"]) == pytest.approx({"a": 2 / 3})


def test_only_the_later_of_two_equal_pictures_is_a_duplicate():
    vectors = unit([[1, 0], [0, 1], [1, 1e-3], [1, 1]])
    assert near_duplicates(vectors).tolist() == [False, False, True, False]


def test_duplicates_across_blocks(monkeypatch):
    vectors = unit(np.random.default_rng(0).normal(size=(23, 16)))
    vectors[[9, 17]] = vectors[2]
    whole = near_duplicates(vectors)
    monkeypatch.setattr(diversity, "ROWS", 4)
    assert (
        np.flatnonzero(whole).tolist() == [9, 17]
        and near_duplicates(vectors).tolist() == whole.tolist()
    )
