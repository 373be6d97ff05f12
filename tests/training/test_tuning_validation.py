"""When a run is to end: what of its diversity is lost, and how sure that is."""

import numpy as np
import pytest

from stickerforge.training.best_checkpoint import LOWEST
from stickerforge.training.tuning_validation import end_reason, relative_change

FIRST = np.array([0.4, 0.5, 0.6, 0.5, 0.4, 0.6, 0.5, 0.5])


@pytest.mark.parametrize(
    ("factor", "noise", "ends"),
    [
        (0.80, 0.01, True),
        (0.93, 0.005, True),
        (0.97, 0.005, False),  # surely lower, but by less than is allowed
        (0.93, 0.6, False),  # lower by more, but that may be chance
        (1.2, 0.01, False),
    ],
)
def test_a_run_ends_where_diversity_is_surely_lost(factor, noise, ends):
    values = FIRST * factor + noise * np.array([1, -1, 1, -1, 1, -1, 1, -1]) * 0.5
    change = relative_change(values, FIRST)
    assert change["diversity_change"] == pytest.approx(factor - 1, abs=1e-9)
    assert change["low"] <= change["diversity_change"] <= change["high"]
    assert bool(end_reason(change, 0.05)) is ends
    assert not end_reason(change, None) and not end_reason(change, 1.0)


def test_the_reason_says_by_how_much():
    change = {"diversity_change": -0.123, "low": -0.2, "high": -0.05}
    assert end_reason(change, 0.05) == (
        "the diversity has changed by -12.3% (95 % interval -20.0% to -5.0%)"
    )


@pytest.mark.parametrize("name", ["diversity_change", "drift", "alignment"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), LOWEST])
def test_pictures_that_are_no_numbers_end_a_run_whatever_may_be_lost(name, value):
    """As they are measured, and as the log has them."""
    metrics = {"diversity_change": 0.1, "low": 0.0, "high": 0.2, "drift": 0.1, "alignment": 0.3}
    assert not end_reason(metrics, None)
    assert end_reason(metrics | {name: value}, None) == "the pictures are no numbers"


def test_fewer_prompts_than_six_have_no_interval_and_end_no_run():
    change = relative_change(FIRST[:5] * 0.5, FIRST[:5])
    assert change == {"diversity_change": pytest.approx(-0.5)}
    assert not end_reason(change, 0.05)
