"""Everyday tellings of one thing."""

import numpy as np
import pytest
from PIL import Image

from examples.experiments.bench import bench_images, bench_items, tellings
from examples.experiments.bench.bench_table import Row, score_table
from examples.experiments.bench.wording_items import read_wordings
from examples.recipes.mini.art import Subject
from examples.recipes.mini.settings import SPRITE_PIXELS, STYLES
from examples.recipes.mini.world import World
from stickerforge.models.judge.model import load_judge

NAMES = ("cat face", "ewe", "apple", "fox", "lion", "locomotive", "rose", "owl")


@pytest.fixture
def scenes(monkeypatch):
    """Things that every telling suits, and one that it does not."""
    kinds = dict.fromkeys(NAMES, "animal") | {"glasses": "thing"}
    subjects = [
        Subject(i, f"{i:x}", name, (), kind) for i, (name, kind) in enumerate(kinds.items())
    ]
    shape = (len(subjects), len(STYLES), SPRITE_PIXELS, SPRITE_PIXELS, 4)
    sprites = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    sprites[..., 3] = 255
    drawn = World(subjects, sprites)
    for module in (tellings, bench_items):
        monkeypatch.setattr(module, "bench_world", lambda version: drawn)
    monkeypatch.setattr(tellings, "in_list", lambda *_: True)
    return drawn


def test_there_are_24_tellings_some_of_them_in_words_that_nothing_else_uses():
    texts = tellings.read_tellings()
    assert len(texts) == len(set(texts)) == 24
    assert all(text.count("{}") == 1 for text in texts)
    assert 6 <= sum(map(tellings.is_new, texts)) <= 16
    taken = {each for which in ("common", "dev", "test") for each in read_wordings(which)}
    assert not {text for text in texts if tellings.is_new(text)} & taken


@pytest.mark.parametrize("text", ["a wee {}", "whaddya say to a {}"])
def test_new_words_are_those_that_no_list_holds(text):
    assert tellings.is_new(text)
    assert not tellings.is_new("draw a cute {} please") and not tellings.is_new("{}")


@pytest.mark.parametrize(
    ("telling", "name", "text"),
    [
        ("a wee {}", "apple", "an apple"),
        ("surprise me with a {}", "owl", "surprise me with an owl"),
        ("my {} is the best", "owl", "my owl is the best"),
        ("for the fridge door: a {}", "ewe", "for the fridge door: a ewe"),
    ],
)
def test_things_keep_their_article(telling, name, text):
    assert tellings.tell(telling, name) == text.replace("an apple", "a wee apple")


def test_every_telling_has_its_things_beside_their_plain_names(scenes):
    items = tellings.telling_items("dev", False, 3)
    told, plain = (
        [item for item in items if item.family == family]
        for family in (tellings.WORDING, tellings.PLAIN)
    )
    assert len(told) == len(plain) == 24 * tellings.SUBJECTS
    assert len({item.id for item in items}) == len(items)
    for one, other in zip(told, plain, strict=True):
        assert (one.truth, one.seed, one.group) == (other.truth, other.seed, other.group)
        assert other.prompt in one.prompt and "glasses" not in one.prompt
        assert "style" not in one.prompt
    few = tellings.telling_items("dev", True, 3)
    assert len(few) == 2 * 6 * tellings.SUBJECTS and set(few) < set(items)


def test_new_words_and_what_is_delivered_are_rows_of_their_own(scenes, tmp_path):
    items = tellings.telling_items("dev", True, 3)
    real = lambda item: bench_images.render_truth(item, scenes)  # noqa: E731
    judge = load_judge("second")
    rows = score_table(items, real, judge, scenes, 3)
    assert set(rows) == {"wording: subject", "plain name: subject"}
    assert set(tellings.wording_rows(rows, items, tmp_path / "none", judge, 3)) == {
        "wording: subject, new words"
    }
    for item in items:
        Image.new("RGBA", (8, 8)).save(tmp_path / f"{item.id}.png")
    found = tellings.wording_rows(rows, items, tmp_path, judge, 3)
    new, delivered = (found[f"wording: subject, {name}"] for name in ("new words", "as delivered"))
    assert 0 < len(new.made) < len(rows["wording: subject"].made)
    assert all(tellings.is_new(new.groups[each]) for each in new.made)
    assert set(delivered.made) == set(rows["wording: subject"].made)


def test_what_a_telling_loses_is_told_by_telling():
    told = [f"wording-{n:02d}-{k}" for n in range(8) for k in range(4)]
    plain = [each.replace("wording", "plain") for each in told]
    groups = {each: each[-4:-2] for each in (*told, *plain)}
    made = {each: float(each[-1] in "01") for each in told}
    rows = {
        "wording: subject": Row(made, made, groups, None),
        "plain name: subject": Row(dict.fromkeys(plain, 1.0), made, groups, None),
    }
    loss = tellings.wording_loss(rows)
    assert (loss["change"], loss["prompts"]) == (-0.5, 8) and loss["p"] < 0.01
