"""Every prediction of a step sees the control picture, within its window of steps."""

import pytest
import torch

from stickerforge.sampling.conditioning import Conditioning
from stickerforge.sampling.control import Control
from stickerforge.sampling.guidance import ClassifierFree, NoGuidance

NOISY = torch.zeros(3, 4, 2, 2)


def text_of(value):
    return Conditioning({"hidden": torch.full((3, 5, 2), value)})


def test_negative_and_positive_predictions_see_it():
    picture = torch.rand(1, 3, 8, 8)
    seen = []

    def predict(noisy, timestep, text):
        seen.append(text)
        return noisy + text["hidden"][:, 0, 0, None, None, None]

    plain = ClassifierFree(text_of(1.0), text_of(0.0), 3.0)
    guided = Control(picture).around(plain)
    result = guided(predict, NOISY, torch.tensor(1), 0, 4)
    assert torch.equal(result, torch.full_like(NOISY, 3.0))
    (text,) = seen
    assert torch.equal(text["control"], picture.expand(6, 3, 8, 8))
    assert text["hidden"] is plain.joined["hidden"], "what is kept for a text stays kept"


@pytest.mark.parametrize(
    ("start", "end", "steps"),
    [(0.0, 1.0, [0, 1, 2, 3]), (0.5, 1.0, [2, 3]), (0.0, 0.25, [0]), (0.0, 0.0, [])],
)
def test_it_counts_in_its_window_of_steps(start, end, steps):
    seen = []

    def predict(noisy, timestep, text):
        seen.append("control" in text)
        return noisy

    guided = Control(torch.rand(1, 3, 8, 8), start, end).around(NoGuidance(text_of(1.0)))
    for step in range(4):
        guided(predict, NOISY, torch.tensor(1), step, 4)
    assert [step for step, with_control in enumerate(seen) if with_control] == steps
