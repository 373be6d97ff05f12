"""How many pictures are computed together under a limit of memory."""

import pytest

from stickerforge.config.resolve import resolve
from stickerforge.config.schema import TailorPromptConfig
from stickerforge.runtime.console import Console
from stickerforge.training.tailor_estimate import (
    pictures_at_once,
    reward_bytes,
    step_cost,
    tuning_cost,
    warn_of_memory,
)
from stickerforge.training.tailor_plan import plan_tailor_prompt


@pytest.fixture(params=["prompt", "reward"])
def plan(request, tiny_sd, tmp_path, monkeypatch):
    """A function of settings to the plan of a run with batches of twelve."""
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    (tmp_path / "prompts.txt").write_text("a cat\n")
    key = "data" if request.param == "prompt" else "reward"

    def plan(**settings):
        place = {"data": str(tmp_path), "reward": str(tmp_path / "prompts.txt")}[key]
        given = {key: place, "name": "x", "model": str(tiny_sd), "training.batch": 12}
        config = resolve(TailorPromptConfig, given | settings)
        return plan_tailor_prompt(
            config, Console(quiet=True), offline=True, force=False, resume=False
        )

    return plan


def test_as_many_as_fit_and_at_least_one(plan):
    whole = plan()
    assert pictures_at_once(whole) == 12
    for at_once in (1, 2, 3, 4, 6):
        limit = step_cost(whole, at_once, 1).memory_bytes / 1e9
        under = plan(**{"training.memory": limit + 1e-9})
        assert pictures_at_once(under) == at_once
        assert tuning_cost(under).memory_bytes <= 1.001e9 * limit
    console, least = Console(quiet=True), plan(**{"training.memory": 0.001})
    assert pictures_at_once(least) == 1
    warn_of_memory(least, console)
    warn_of_memory(whole, console)
    assert len(console.warnings) == 1 and "a single picture takes about" in console.warnings[0]


def test_the_reward_counts_where_it_lies_in_a_folder(clip):
    weights = sum(path.stat().st_size for path in clip.glob("*.safetensors"))
    assert reward_bytes(str(clip)) == weights
    assert reward_bytes(f"hpsv2={clip}") == weights
    assert reward_bytes("second") == reward_bytes("clip") == 0
