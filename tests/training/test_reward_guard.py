"""What a LoRA may cost: paired changes, and by which it is held back."""

from pathlib import Path

import numpy as np
import pytest

from stickerforge.evaluation.statistics import bca_interval
from stickerforge.training.reward_guard import compare, diversity_change, lowered_aspects
from stickerforge.training.scored_pictures import ScoredSet, ScoreRow

PROMPTS, SEEDS = 12, 2


def drawn(scores):
    """A set of pictures with the scores of each aspect, (PROMPTS, SEEDS)."""
    rows = [
        ScoreRow(
            f"{prompt}-{seed}.png",
            f"prompt {prompt:02}",
            seed,
            {name: float(values[prompt, seed]) for name, values in scores.items()},
        )
        for prompt in range(PROMPTS)
        for seed in range(SEEDS)
    ]
    return ScoredSet(Path(), rows, [])


@pytest.fixture
def base():
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=(PROMPTS, SEEDS)) for name in ("dark", "fit")}


def test_changes_are_paired_over_prompts(base):
    shift = np.random.default_rng(1).normal(0.5, 0.3, (PROMPTS, SEEDS))
    after = base | {"fit": base["fit"] + shift}
    change = compare(drawn(base), drawn(after), ["dark", "fit"])["fit"]
    assert change.mean == pytest.approx(shift.mean())
    assert (change.low, change.high) == pytest.approx(bca_interval(shift.mean(1)))
    assert change.unit == pytest.approx(base["fit"].std())
    assert change.error == pytest.approx(shift.mean(1).std(ddof=1) / np.sqrt(PROMPTS))
    assert change.rises and not change.falls


def test_a_planted_reward_is_caught(base):
    """Dark pixels rise, and what they cost falls: it is held back, and the worst are named."""
    fall = np.random.default_rng(2).uniform(0.2, 0.6, (PROMPTS, SEEDS))
    after = {"dark": base["dark"] + 1, "fit": base["fit"] - fall}
    changes = compare(drawn(base), drawn(after), ["dark", "fit"])
    assert lowered_aspects(changes, "dark", 0.2) == ["fit"]
    assert lowered_aspects(changes, "dark", 5.0) == []
    worst = changes["fit"].worst
    assert worst[0].change == pytest.approx(-fall.max()) and len(worst) == 8
    assert list(worst) == sorted(worst, key=lambda pair: pair.change)


def test_noise_is_no_loss(base):
    noise = np.random.default_rng(4).normal(0, 1, (PROMPTS, SEEDS))
    after = {"dark": base["dark"] + 1, "fit": base["fit"] + noise - noise.mean() - 0.05}
    changes = compare(drawn(base), drawn(after), ["dark", "fit"])
    assert changes["fit"].mean < 0 and not changes["fit"].falls
    assert lowered_aspects(changes, "dark", 0.0) == []


def test_its_own_aspect_may_not_fall_at_all(base):
    after = base | {"dark": base["dark"] - 0.01 - 0.001 * np.arange(PROMPTS)[:, None]}
    changes = compare(drawn(base), drawn(after), ["dark", "fit"])
    assert lowered_aspects(changes, "dark", 0.2) == ["dark"]
    assert lowered_aspects(changes, "fit", 0.2) == []


@pytest.mark.parametrize(("shift", "lowered"), [(0.0, []), (-0.5, ["fit"]), (0.5, [])])
def test_what_was_all_alike_has_an_interval_of_one_point(shift, lowered):
    same = {"fit": np.ones((PROMPTS, SEEDS))}
    changes = compare(drawn(same), drawn({"fit": same["fit"] + shift}), ["fit"])
    assert lowered_aspects(changes, "other", 0.2) == lowered
    assert changes["fit"].result()["standard_deviations"] == (None if shift else 0.0)


def test_of_few_prompts_nothing_is_concluded():
    before = ScoredSet(Path(), drawn({"fit": np.ones((PROMPTS, SEEDS))}).rows[:6], [])
    after = ScoredSet(Path(), drawn({"fit": np.zeros((PROMPTS, SEEDS))}).rows[:6], [])
    change = compare(before, after, ["fit"])["fit"]
    assert change.prompts == 3 and change.low is None and not change.falls


def test_what_applies_to_no_prompt_is_left_out(base):
    assert list(compare(drawn(base), drawn(base), ["style", "fit"])) == ["fit"]


def test_diversity_is_paired_too():
    before = {str(prompt): 0.3 + prompt / 100 for prompt in range(8)}
    after = {prompt: value - 0.05 - int(prompt) / 1000 for prompt, value in before.items()}
    assert diversity_change(before, after).falls
    assert not diversity_change(before, before).falls
    assert diversity_change(before, {}) is None
