"""Cosines, diversity, duplicates, sentences."""

import numpy as np
import pytest

from stickerforge.evaluation.metrics.similarity import (
    diversity,
    near_duplicates,
    segments,
    to_references,
)


def unit(values):
    values = np.asarray(values, np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def test_to_references():
    mean, best = to_references(unit([[1, 0], [0, 2]]), unit([[3, 0], [1, 1]]))
    assert mean == pytest.approx([(1 + 0.5**0.5) / 2, 0.5**0.5 / 2]) and best == pytest.approx(
        [1, 0.5**0.5]
    )


def test_references_against_themselves_are_one():
    vectors = unit(np.random.default_rng(0).normal(size=(5, 8)))
    assert to_references(vectors, vectors)[1] == pytest.approx(np.ones(5))


def test_diversity_is_of_pairs_of_one_prompt():
    vectors = unit([[1, 0], [1, 0], [0, 1], [1, 1]])
    assert diversity(vectors, ["a", "a", "a", "b"]) == pytest.approx({"a": 2 / 3})


def test_only_the_later_of_two_equal_pictures_is_a_duplicate():
    vectors = unit([[1, 0], [0, 1], [1, 1e-3], [1, 1]])
    assert near_duplicates(vectors).tolist() == [False, False, True, False]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a cat", ["a cat"]),
        ("A cat. It has a crown. ", ["A cat", "It has a crown"]),
        ("a; b\nc", ["a", "b", "c"]),
        ("...", ["..."]),
        ("about 3.5 percent", ["about 3.5 percent"]),
        ("A cat.\nIt has a crown.", ["A cat", "It has a crown"]),
        ("Who? Me!", ["Who", "Me"]),
    ],
)
def test_segments(text, expected):
    assert segments(text) == expected


def test_duplicates_across_blocks(monkeypatch):
    from stickerforge.evaluation.metrics import similarity

    vectors = unit(np.random.default_rng(0).normal(size=(23, 16)))
    vectors[[9, 17]] = vectors[2]
    whole = near_duplicates(vectors)
    monkeypatch.setattr(similarity, "ROWS", 4)
    assert (
        np.flatnonzero(whole).tolist() == [9, 17]
        and near_duplicates(vectors).tolist() == whole.tolist()
    )
