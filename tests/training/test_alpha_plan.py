"""The learning rate of a run of `tailor alpha`."""

from types import SimpleNamespace

import pytest

from stickerforge.config.schema import DecoderTrainingConfig
from stickerforge.training.alpha_plan import AlphaPlan


@pytest.mark.parametrize(
    ("share", "rates"),
    [
        (0.5, {0: 1, 50: 1, 75: 0.5, 99: 0.02}),
        (0.0, {0: 1, 99: 1}),
        (1.0, {0: 1, 50: 0.5, 99: 0.01}),
    ],
)
def test_the_rate_falls_to_nothing_in_a_line(share, rates):
    plan = SimpleNamespace(settings=DecoderTrainingConfig(steps=100, lr_decay=share))
    found = {step: AlphaPlan.rate(plan, step) for step in rates}
    assert found == pytest.approx(rates)
