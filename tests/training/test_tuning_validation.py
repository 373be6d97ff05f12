"""When a run is to end: what of its diversity is lost, and how sure that is."""

import numpy as np
import pytest

from stickerforge.training.tuning_validation import loss_of_diversity, relative_change

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
    assert bool(loss_of_diversity(change, 0.05)) is ends
    assert not loss_of_diversity(change, None) and not loss_of_diversity(change, 1.0)


def test_the_reason_says_by_how_much():
    change = {"diversity_change": -0.123, "low": -0.2, "high": -0.05}
    assert loss_of_diversity(change, 0.05) == (
        "the diversity has changed by -12.3% (95 % interval -20.0% to -5.0%)"
    )
    assert loss_of_diversity(change | {"diversity_change": float("nan")}, 0.05)
