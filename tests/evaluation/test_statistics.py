"""Intervals against scipy's and by how often they cover, the sign-flip test by enumeration."""

import itertools

import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap

from stickerforge.evaluation.statistics import (
    MIN_PROMPTS,
    bca_interval,
    group_means,
    interval,
    paired_difference,
    sign_flip_p,
    wilson_interval,
)


def test_means_of_groups():
    assert group_means([1, 2, 3, 10], ["b", "a", "b", "c"]).tolist() == [2, 2, 10]


def prompts(count):
    return [str(number) for number in range(count)]


def test_the_interval_is_that_of_the_normal_law_for_many_prompts():
    values = np.random.default_rng(0).normal(5, 2, 400)
    half = 1.96 * values.std() / 20
    expected = (values.mean() - half, values.mean() + half)
    assert interval(values.tolist(), prompts(400)) == pytest.approx(expected, abs=0.05)


def test_pictures_of_one_prompt_are_no_independent_evidence():
    base = np.random.default_rng(0).normal(0, 1, 30)
    few = interval(base.tolist(), prompts(30))
    many = interval(np.repeat(base, 50).tolist(), [str(i) for i in np.repeat(np.arange(30), 50)])
    assert many == pytest.approx(few)


@pytest.mark.parametrize(("passed", "count"), [(0, 6), (6, 6), (1, 25), (17, 25), (41, 100)])
def test_shares_have_the_interval_of_wilson(passed, count):
    expected = binomtest(passed, count).proportion_ci(0.95, method="wilson")
    assert wilson_interval(passed, count) == pytest.approx(tuple(expected))
    values = [1.0] * passed + [0.0] * (count - passed)
    assert interval(values, prompts(count), passes=True) == wilson_interval(passed, count)


def test_what_all_prompts_pass_may_still_fail():
    low, high = interval([1.0] * 25, prompts(25), passes=True)
    assert high == 1 and low == pytest.approx(25 / (25 + 1.959964**2))  # by hand


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).exponential(1, 12),
        np.random.default_rng(2).beta(5, 1, 25),
        np.random.default_rng(3).integers(0, 9, 40) / 8,
    ],
)
def test_other_means_have_the_interval_of_scipys_bca_bootstrap(values):
    expected = bootstrap(
        (values,), np.mean, method="BCa", n_resamples=20_000, rng=np.random.default_rng(0)
    ).confidence_interval
    close = 0.05 * (expected.high - expected.low)  # of other draws
    assert interval(values.tolist(), prompts(len(values))) == pytest.approx(expected, abs=close)


def test_means_keep_the_side_of_a_lopsided_law():
    values = np.random.default_rng(5).exponential(1, 20)
    low, high = interval(values.tolist(), prompts(20))
    assert high - values.mean() > 1.1 * (values.mean() - low)


@pytest.mark.parametrize("share", [0.5, 0.83, 0.95])
def test_the_interval_of_shares_covers(share):
    passed = np.random.default_rng(7).binomial(25, share, 4000)
    ends = np.array([wilson_interval(int(k), 25) for k in passed])
    assert ((ends[:, 0] <= share) & (share <= ends[:, 1])).mean() > 0.91


def test_the_interval_of_lopsided_means_covers():
    rng, covered = np.random.default_rng(8), []
    for _ in range(400):
        low, high = bca_interval(rng.beta(4, 1, 25))
        covered.append(low <= 0.8 <= high)
    assert np.mean(covered) > 0.90


def test_few_prompts_have_no_interval():
    assert interval([1.0, 3.0], ["a", "a"]) is None
    assert interval([0.1, 0.5, 0.3, 0.2, 0.6], prompts(MIN_PROMPTS - 1)) is None
    assert interval([1.0] * 5, prompts(5), passes=True) is None
    assert interval([0.1, 0.5, 0.3, 0.2, 0.6, 0.4], prompts(MIN_PROMPTS))


def test_what_never_varies_has_no_interval():
    # All stickers have one part: that is no share of them.
    assert interval([1.0] * 25, prompts(25)) is None
    assert interval([0.1] * 30, prompts(30)) is None
    assert bca_interval(np.full(30, 1e6)) is None


@pytest.mark.parametrize("shift", [0.0, 1e3])
def test_intervals_move_with_their_values(shift):
    values = np.random.default_rng(4).normal(0, 1, 15)
    low, high = bca_interval(values)
    assert bca_interval(values + shift) == pytest.approx((low + shift, high + shift))
    low, high = bca_interval(-values)
    assert (-high, -low) == pytest.approx(bca_interval(values), abs=0.1)


def test_paired_differences_say_how_sure_they_are():
    rng = np.random.default_rng(2)
    result = paired_difference(rng.normal(0.3, 0.5, 40))
    assert result["low"] < result["change"] < result["high"] and result["prompts"] == 40
    few = paired_difference(np.array([0.2, 0.4, 0.3]))
    assert few["low"] is few["high"] is None and few["p"] == 2 / 2**3
    same = paired_difference(np.zeros(25))
    assert same["low"] is None and (same["change"], same["p"]) == (0, 1)


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
