"""The bootstrap against theory, and the sign-flip test against enumeration."""

import itertools

import numpy as np
import pytest

from stickerforge.evaluation.statistics import group_means, interval, sign_flip_p


def test_means_of_groups():
    assert group_means([1, 2, 3, 10], ["b", "a", "b", "c"]).tolist() == [2, 2, 10]


def test_the_interval_is_that_of_the_normal_law_for_many_prompts():
    values = np.random.default_rng(0).normal(5, 2, 400)
    low, high = interval(values.tolist(), [str(i) for i in range(400)])
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.05) and high == pytest.approx(
        values.mean() + half, abs=0.05
    )


def test_pictures_of_one_prompt_are_no_independent_evidence():
    base = np.random.default_rng(0).normal(0, 1, 30)
    few = interval(base.tolist(), [str(i) for i in range(30)])
    many = interval(np.repeat(base, 50).tolist(), [str(i) for i in np.repeat(np.arange(30), 50)])
    assert many == pytest.approx(few)


def test_one_prompt_has_no_interval():
    assert interval([1.0, 3.0], ["a", "a"]) == (2.0, 2.0)


def test_sign_flips_against_enumeration():
    differences = np.array([0.3, -0.1, 0.8, 0.2, 0.05])
    sums = [abs(np.dot(signs, differences)) for signs in itertools.product((1, -1), repeat=5)]
    expected = np.mean([total >= abs(differences.sum()) - 1e-12 for total in sums])
    assert sign_flip_p(differences) == pytest.approx(expected)


def test_many_pairs_are_drawn():
    rng = np.random.default_rng(1)
    assert sign_flip_p(rng.normal(1, 1, 60)) < 0.001
    chances = [sign_flip_p(rng.normal(0, 1, 30), seed=i) for i in range(60)]
    assert 0.3 < np.mean(chances) < 0.7
    assert sign_flip_p(np.zeros(5)) == 1.0 and sign_flip_p(np.array([])) == 1.0


@pytest.mark.parametrize("size", [1.0, 1e4, 1e-6])
def test_sign_flips_count_the_signs_that_were_seen_whatever_the_size(size):
    for seed in range(40):
        differences = size * np.random.default_rng(seed).uniform(0.5, 1.5, 6)
        assert sign_flip_p(differences) == 2 / 2**6
