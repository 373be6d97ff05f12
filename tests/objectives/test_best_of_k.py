"""Choosing: at most one picture of a prompt, the best, whatever the order (systems.md, 4.6)."""

import random
from itertools import combinations

import numpy as np
import pytest

from stickerforge.objectives.best_of_k import (
    PictureScore,
    Selection,
    best_of_k_curve,
    best_of_prompts,
    overlap,
    pairs_of,
    select,
)


@pytest.fixture
def pictures():
    """Twelve prompts of five pictures each; scores are rounded, so that some are equal."""
    rng = np.random.default_rng(3)
    return [
        PictureScore(f"prompt {prompt}", seed, float(np.round(rng.normal(prompt / 12), 1)))
        for prompt in range(12)
        for seed in range(5)
    ]


@pytest.mark.parametrize("quantile", [0.0, 0.3, 0.5, 1.0])
def test_of_each_prompt_at_most_the_best_which_passes(pictures, quantile):
    selection = select(pictures, quantile=quantile)
    prompts = [chosen.prompt for chosen in selection.chosen]
    assert len(set(prompts)) == len(prompts) and selection.prompts == 12
    for chosen in selection.chosen:
        own = [picture.score for picture in pictures if picture.prompt == chosen.prompt]
        assert chosen.score == max(own) and chosen.score >= selection.threshold
    left = {picture.prompt for picture in pictures} - set(prompts)
    for prompt in left:
        own = [picture.score for picture in pictures if picture.prompt == prompt]
        assert max(own) < selection.threshold
    best = [max(p.score for p in pictures if p.prompt == f"prompt {i}") for i in range(12)]
    assert selection.threshold == pytest.approx(np.quantile(best, quantile))


def test_the_order_changes_nothing(pictures):
    shuffled = random.Random(1).sample(pictures, len(pictures))
    for quantile in (0.0, 0.5):
        assert select(shuffled, quantile=quantile) == select(pictures, quantile=quantile)
    assert best_of_k_curve(shuffled) == best_of_k_curve(pictures)


def test_of_equal_pictures_the_least_seed_is_taken():
    equal = [PictureScore("a", seed, 1.0) for seed in (7, 2, 5)]
    assert best_of_prompts(equal) == [PictureScore("a", 2, 1.0)]


def test_an_absolute_threshold_takes_the_place_of_the_quantile(pictures):
    chosen = select(pictures, quantile=1.0, least=-100.0).chosen
    assert chosen == select(pictures, quantile=0.0).chosen and len(chosen) == 12
    assert not select(pictures, quantile=0.0, least=100.0).chosen


def test_one_picture_without_threshold_is_all_there_is():
    """Plain self-distillation: nothing is chosen."""
    single = [PictureScore(str(prompt), 0, float(prompt)) for prompt in range(6)]
    assert select(single, quantile=0.0).chosen == single
    assert best_of_k_curve(single) == [2.5]


def test_the_curve_is_the_mean_over_all_subsets(pictures):
    curve = best_of_k_curve(pictures)
    for k in range(1, 6):
        best = [
            np.mean([max(subset) for subset in combinations(own, k)])
            for own in ([p.score for p in pictures if p.prompt == f"prompt {i}"] for i in range(12))
        ]
        assert curve[k - 1] == pytest.approx(np.mean(best))
    assert curve == sorted(curve)


def test_the_curve_ends_where_a_prompt_has_no_more():
    pictures = [PictureScore("a", seed, float(seed)) for seed in range(4)]
    assert best_of_k_curve([*pictures, PictureScore("b", 0, 9.0)]) == [pytest.approx(5.25)]
    assert best_of_k_curve([]) == []


def test_overlap_is_jaccards_index():
    def chosen(*keys):
        return Selection([PictureScore(prompt, seed, 0.0) for prompt, seed in keys], 0.0, 9)

    first, second = chosen(("a", 1), ("b", 1), ("c", 2)), chosen(("a", 1), ("b", 2))
    assert overlap(first, second) == overlap(second, first) == 0.25
    assert overlap(first, first) == 1 and overlap(chosen(), chosen()) == 0
    assert pairs_of(["a", "b", "c"]) == [("a", "b"), ("a", "c"), ("b", "c")]
