"""What a run of `tailor alpha` will take, and how many pictures are computed together."""

from pathlib import Path

import pytest
from PIL import Image

from stickerforge.config.resolve import resolve
from stickerforge.config.schema import TailorAlphaConfig
from stickerforge.config.unused import unused_in_tailor_alpha
from stickerforge.data.pictures import load_picture
from stickerforge.runtime.console import Console
from stickerforge.training.alpha_estimate import (
    alpha_cost,
    pictures_at_once,
    step_cost,
    warn_of_memory,
)
from stickerforge.training.alpha_plan import plan_tailor_alpha
from stickerforge.training.sticker_pictures import photo_planes


@pytest.fixture
def plan(tiny_sd, tmp_path, monkeypatch):
    """A function of settings to the plan of a run with batches of twelve."""
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))

    def plan(**settings):
        given = {"pictures": str(tmp_path), "name": "x", "model": str(tiny_sd)}
        config = resolve(TailorAlphaConfig, given | {"training.batch": 12} | settings)
        return plan_tailor_alpha(
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
        assert alpha_cost(under, 3, 0).memory_bytes <= 1.001e9 * limit
    console, least = Console(quiet=True), plan(**{"training.memory": 0.001})
    assert pictures_at_once(least) == 1
    warn_of_memory(least, console)
    warn_of_memory(whole, console)
    assert len(console.warnings) == 1 and "a single picture takes about" in console.warnings[0]


def test_time_grows_with_the_work(plan):
    start = step_cost(plan(), 1, 0).seconds

    def seconds(held_out=0, **settings):
        return alpha_cost(plan(**settings), held_out, 0).seconds - start

    one = seconds(**{"training.steps": 1000})
    assert seconds(**{"training.steps": 3000}) == pytest.approx(3 * one)
    assert seconds(**{"training.steps": 1000, "training.batch": 6}) == pytest.approx(one / 2)
    assert seconds(**{"training.steps": 1000, "training.resolution": 64}) == pytest.approx(4 * one)
    measured = {"training.steps": 1000, "validation.every": 100}
    # ten validations of 24 pictures, each of which counts as half a picture of a step
    assert seconds(24, **measured) == pytest.approx(one * (1 + 10 * 12 / 12_000))
    assert seconds(24, **{"training.steps": 1000, "validation.every": 0}) == pytest.approx(one)


def test_what_is_left_open_is_filled_in(plan):
    config = plan().config
    assert (config.training.steps, config.training.resolution) == (2000, 32)
    assert config.validation.every == 333


def test_photographs_take_memory(plan):
    own = plan(**{"training.resolution": 64})
    photo, page = Image.new("RGB", (300, 300), "red"), Path(own.config.pictures) / "a.png"
    photo.save(page)
    each = photo_planes(load_picture(page)[0], 64).nbytes
    more = alpha_cost(own, 0, 200).memory_bytes - alpha_cost(own, 0, 0).memory_bytes
    assert more == 200 * each


def test_what_has_no_effect_decides_nothing_and_is_said(plan, tmp_path):
    unmeasured = {"validation.every": 0}
    digest = plan(**unmeasured).settings_digest()
    for name, value in (("share", 0.5), ("pictures", 3)):
        assert plan(**unmeasured | {f"validation.{name}": value}).settings_digest() == digest
        assert plan(**{f"validation.{name}": value}).settings_digest() != plan().settings_digest()
    assert digest != plan().settings_digest()
    photos = {"grounds.photos": str(tmp_path)}
    assert plan(**photos).photos == str(tmp_path)
    without = plan(**photos | {"loss.composite": 0.0})
    assert without.photos == ""
    assert any("loss.composite=0" in line for line in unused_in_tailor_alpha(without.config))
    assert not list(unused_in_tailor_alpha(plan(**photos).config))
