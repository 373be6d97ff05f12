"""Training by a reward: parts of a batch, what gets a gradient, and what is drawn."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from stickerforge.errors import InputError
from stickerforge.training.methods.preference_tuning import PreferenceTuning, RewardSettings
from stickerforge.training.trainer import accumulate
from tests.training.setups import CONFIG, model_of, state_of

PROMPTS = ["a cat", "two dogs", "a red hat on a blue ground. " * 4, "a car", "a tree"]
SETTINGS = RewardSettings(
    F.normalize(torch.tensor([1.0, 2.0, 0.0]), dim=0),
    weight=0.3,
    steps=6,
    gradient_every=3,
    guidance=2.0,
    crop=0.9,
    resolution=32,
    part=4,
)
TRAINING = replace(CONFIG, batch=4, layers="blocks")


class ColourReward:
    """Vectors of the mean colour; texts are told apart by their length."""

    name, digest = "colour", "0"

    def encode_texts(self, texts):
        return F.normalize(torch.tensor([[1.0, len(text) % 3, 0.5] for text in texts]), dim=-1)

    def encode_pixels(self, pixels):
        return F.normalize(pixels[:, :3].mean((2, 3)), dim=-1)


class BrokenReward(ColourReward):
    """Gives no number."""

    def encode_pixels(self, pixels):
        return super().encode_pixels(pixels) * float("nan")


def tuning(folder, reward=None, **changes):
    state = state_of(model_of(folder), TRAINING, {})
    with torch.no_grad():
        for index, parameter in enumerate(state.factors):
            random = torch.Generator().manual_seed(index)
            parameter.add_(torch.randn(parameter.shape, generator=random) / 20)
    settings = replace(SETTINGS, **changes)
    return PreferenceTuning(state, PROMPTS, reward or ColourReward(), settings, TRAINING, seed=3)


def gradients(method):
    output = accumulate(method, 0)
    return output, [factor.grad.clone() for factor in method.train_state.factors]


@pytest.mark.parametrize("part", [2, 1])
def test_parts_of_a_batch_come_to_the_gradient_of_the_whole(tiny_sd, part):
    output, whole = gradients(tuning(tiny_sd))
    other, parts = gradients(tuning(tiny_sd, part=part))
    assert float(other.loss) == pytest.approx(float(output.loss), rel=1e-4)
    assert float(other.metrics["relevant"]) == pytest.approx(
        float(output.metrics["relevant"]), abs=1e-4
    )
    assert max(float(gradient.abs().max()) for gradient in whole) > 0
    largest = max(float(gradient.abs().max()) for gradient in whole)
    for one, two in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-2, atol=1e-3 * largest)


def test_every_prompt_has_its_turn_and_a_step_is_the_same_each_time(tiny_sd):
    method = tuning(tiny_sd)
    drawn = [prompt for step in range(5) for prompt in method.batch(step).prompts]
    assert all(drawn.count(prompt) == 4 for prompt in PROMPTS)
    assert method.batch(2) == tuning(tiny_sd).batch(2)
    assert {method.batch(step).offset for step in range(30)} == {0, 1, 2}
    assert len({seed for step in range(5) for seed in method.batch(step).seeds}) == 20


def test_a_step_along_the_gradient_raises_the_reward(tiny_sd):
    method = tuning(tiny_sd, weight=1.0)
    before, slopes = gradients(method)
    with torch.no_grad():
        for factor, slope in zip(method.train_state.factors, slopes, strict=True):
            factor.sub_(3.0 * slope)
    after = method.loss(method.batch(0), 0)
    assert float(after.metrics["reward"]) > float(before.metrics["reward"])


def test_a_reward_that_gives_no_number_is_named(tiny_sd):
    method = tuning(tiny_sd, BrokenReward())
    with pytest.raises(InputError, match="the reward colour gives no number"):
        method.loss(method.batch(0), 0)


def test_a_crop_lies_within_the_picture(tiny_sd):
    method = tuning(tiny_sd, crop=0.5)
    pixels = torch.arange(20 * 30).view(1, 20, 30).float()
    corners = set()
    for seed in range(300):
        crop = method.crop(pixels, seed)
        assert crop.shape == (1, 10, 10)
        corners.add((int(crop[0, 0, 0]) // 30, int(crop[0, 0, 0]) % 30))
    assert {row for row, _ in corners} == set(range(11))
    assert {column for _, column in corners} == set(range(21))
