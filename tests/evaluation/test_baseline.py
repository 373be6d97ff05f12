"""Paired differences against loops."""

import numpy as np
import pytest

from stickerforge.evaluation.baseline import compare_to_baseline, prompt_means

NAN = float("nan")


def test_means_leave_out_what_has_no_value():
    values, keys = np.array([1.0, NAN, 4.0, NAN]), ["a", "a", "b", "c"]
    assert prompt_means(values, keys, ["b", "a"]).tolist() == [4, 1]
    assert np.isnan(prompt_means(values, keys, ["c", "d"])).all()


def test_differences_are_of_prompts_that_both_have():
    rng = np.random.default_rng(0)
    keys, other_keys = list("aabbccdd"), list("bcdde")
    values, others = rng.normal(size=8), rng.normal(size=5)
    values[6:] = NAN  # nothing of "d"
    expected = [
        np.mean([v for v, k in zip(values, keys, strict=True) if k == key])
        - np.mean([v for v, k in zip(others, other_keys, strict=True) if k == key])
        for key in "bc"
    ]
    change = compare_to_baseline(values, keys, others, other_keys, ["b", "c", "d"])
    assert change["prompts"] == 2 and change["change"] == pytest.approx(np.mean(expected))


def test_nothing_in_common_is_no_difference():
    ours, theirs = np.array([1.0]), np.array([2.0])
    assert compare_to_baseline(ours, ["a"], theirs, ["b"], []) is None
    assert compare_to_baseline(ours, ["a"], np.array([NAN]), ["a"], ["a"]) is None
