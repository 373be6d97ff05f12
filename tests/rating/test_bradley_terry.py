"""Strengths from comparisons, against a general optimizer and what they were drawn from."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import minimize

from stickerforge.rating.bradley_terry import Z_95, fit_strengths


def drawn(strengths, count, seed=0):
    """Comparisons of every two, `count` each, drawn from known log strengths."""
    generator, rows = np.random.default_rng(seed), []
    for one, other in combinations(strengths, 2):
        chance = 1 / (1 + math.exp(strengths[other] - strengths[one]))
        rows += [(one, other, float(win)) for win in generator.random(count) < chance]
    return rows


def likelihood(names, rows):
    """Minus the log likelihood as a function of log strengths."""
    place = {name: number for number, name in enumerate(names)}

    def value(logs):
        total = 0.0
        for one, other, gain in rows:
            gap = logs[place[one]] - logs[place[other]]
            total -= gain * -np.logaddexp(0, -gap) + (1 - gain) * -np.logaddexp(0, gap)
        return total + logs.sum() ** 2  # the mean is 0

    return value


ROWS = drawn({"a": 1.0, "b": 0.2, "c": 0.0, "d": -1.2}, 40) + [("a", "d", 0.5), ("b", "c", 0.5)]


def test_they_are_those_of_greatest_likelihood():
    found = {row.name: row for row in fit_strengths(ROWS)}
    names = sorted(found)
    best = minimize(likelihood(names, ROWS), np.zeros(4), method="BFGS", options={"gtol": 1e-9})
    assert [found[name].log_strength for name in names] == pytest.approx(best.x, abs=1e-5)


def test_the_intervals_are_those_of_the_observed_information():
    """Against numerical second derivatives: the mean of all logs is held at 0 by a projection."""
    found = {row.name: row for row in fit_strengths(ROWS)}
    names = sorted(found)
    at, value, step = (
        np.array([found[n].log_strength for n in names]),
        likelihood(names, ROWS),
        1e-4,
    )
    hessian = np.empty((4, 4))
    for i, j in np.ndindex(4, 4):
        one, other = np.eye(4)[i] * step, np.eye(4)[j] * step
        hessian[i, j] = (
            value(at + one + other)
            - value(at + one - other)
            - value(at - one + other)
            + value(at - one - other)
        ) / (4 * step**2)
    center = np.eye(4) - 0.25
    errors = np.sqrt(np.diag(center @ np.linalg.inv(hessian) @ center))
    half = [(found[name].high - found[name].low) / 2 for name in names]
    assert half == pytest.approx(Z_95 * errors, rel=1e-3)


def test_of_two_it_is_the_logit_of_the_share():
    rows = [("a", "b", 1.0)] * 30 + [("a", "b", 0.0)] * 10
    first, second = fit_strengths(rows)
    assert first.log_strength - second.log_strength == pytest.approx(math.log(3))
    assert (first.wins, first.comparisons, second.wins, first.prior) == (30, 40, 10, False)


def test_a_tie_is_half_a_win():
    ties = fit_strengths([("a", "b", 0.5)] * 8 + [("a", "b", 1.0)] * 4)
    halves = fit_strengths([("a", "b", 1.0)] * 8 + [("b", "a", 1.0)] * 4)
    assert [row.log_strength for row in ties] == pytest.approx([row.log_strength for row in halves])


def test_the_side_does_not_matter():
    turned = [(other, one, 1 - gain) for one, other, gain in ROWS]
    for one, other in zip(fit_strengths(ROWS), fit_strengths(turned), strict=True):
        assert one.name == other.name and one.low == pytest.approx(other.low, abs=1e-7)


def test_the_intervals_cover():
    """Of many samples about 95 % hold the true strength."""
    truth = {"a": 0.6, "b": 0.0, "c": -0.6}
    hits = [
        row.low <= truth[row.name] <= row.high
        for seed in range(150)
        for row in fit_strengths(drawn(truth, 30, seed))
    ]
    assert 0.91 < np.mean(hits) < 0.99


def test_groups_that_were_never_compared_are_apart():
    rows = [("a", "b", 1.0), ("a", "b", 0.0), ("c", "d", 1.0), ("d", "c", 1.0), ("d", "c", 1.0)]
    found = {row.name: row for row in fit_strengths(rows)}
    assert found["a"].group == found["b"].group != found["c"].group == found["d"].group
    assert found["d"].log_strength - found["c"].log_strength == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    "rows",
    [
        [("a", "b", 1.0)] * 5,  # b never wins
        [("a", "b", 1.0), ("b", "a", 1.0), ("c", "a", 1.0), ("c", "b", 1.0)],  # c never loses
        [("a", "b", 1.0), ("b", "a", 1.0), ("b", "c", 1.0), ("c", "d", 1.0), ("d", "c", 1.0)],
    ],
)
def test_without_a_chain_of_wins_a_tie_is_added_and_it_is_said(rows):
    found = fit_strengths(rows)
    assert all(row.prior for row in found)
    assert all(math.isfinite(value) for row in found for value in (row.low, row.high))
    assert found[0].log_strength > found[-1].log_strength
    assert np.mean([row.log_strength for row in found]) == pytest.approx(0, abs=1e-9)


def test_the_added_tie_is_part_of_the_likelihood():
    rows = [("a", "b", 1.0)] * 5

    def with_ties(logs):
        ties = 0.5 * (np.logaddexp(0, -logs) + np.logaddexp(0, logs)).sum()
        return ties + len(rows) * np.logaddexp(0, logs[1] - logs[0])

    best = minimize(with_ties, np.zeros(2), method="BFGS", options={"gtol": 1e-9}).x
    assert fit_strengths(rows)[0].log_strength == pytest.approx((best[0] - best[1]) / 2, abs=1e-5)


def test_hundreds_of_wins_to_one():
    rows = [("a", "b", 1.0)] * 900 + [("a", "b", 0.0), ("b", "c", 1.0), ("c", "b", 1.0)]
    found = {row.name: row.log_strength for row in fit_strengths(rows)}
    assert found["a"] - found["b"] == pytest.approx(math.log(900), abs=1e-6)
    assert found["b"] - found["c"] == pytest.approx(0, abs=1e-6)


def test_nothing_to_compare():
    assert fit_strengths([]) == [] and fit_strengths([("a", "a", 1.0)]) == []


def test_many_pictures_are_many_small_groups():
    rows = [(f"{n}a", f"{n}b", float(n % 2)) for n in range(1000)]
    found = fit_strengths(rows)
    assert len(found) == 2000 and len({row.group for row in found}) == 1000
