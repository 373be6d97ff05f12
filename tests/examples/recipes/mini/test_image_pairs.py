"""Pairs of pictures from which an image adapter is taught."""

from itertools import islice

import numpy as np
import pytest

from examples.recipes.mini import dataset_3, image_pairs
from examples.recipes.mini.art import Subject
from examples.recipes.mini.scene import combinations, is_withheld
from examples.recipes.mini.settings import STYLES

NAMES = ["cat face", "dog face", "fox", "robot", "key", "basket", "astronaut", "crown", "top hat"]


@pytest.fixture
def drawn(monkeypatch):
    """Scenes of squares, and the truth of every picture that is drawn, in order."""
    subjects = [Subject(i, f"{i:x}", name, (), "animal") for i, name in enumerate(NAMES)]
    sprites = np.zeros((len(NAMES), len(STYLES), 192, 192, 4), np.uint8)
    sprites[:, :, 40:150, 40:150] = (200, 60, 30, 255)
    monkeypatch.setattr(dataset_3, "load_subjects", lambda version: (subjects, sprites))
    words = iter(range(10**6))  # every second caption names the style
    monkeypatch.setattr(
        image_pairs,
        "make_caption_sampler",
        lambda scenes: lambda truth, rng: f"x {truth.style}" if next(words) % 2 else "x",
    )
    truths = []
    draw = dataset_3.World3.draw
    monkeypatch.setattr(
        dataset_3.World3, "draw", lambda world, truth: (truths.append(truth), draw(world, truth))[1]
    )
    return truths


def things(truth):
    return [(thing.subject.name, thing.colour, thing.wears) for thing in truth.things]


def test_pairs_share_a_thing_or_a_style_and_captions_say_what_they_do_not(drawn):
    kinds = []
    for pair in islice(image_pairs.image_pairs(), 150):
        scene, other = drawn[-2:]
        assert (other.style == scene.style) == (pair.kind != "restyled")
        if pair.kind != "style":
            assert things(other) == things(scene)
        caption = {"vague": "an animal", "restyled": f"an animal in {scene.style} style"}
        if pair.kind in caption:
            assert pair.caption == caption[pair.kind]
            assert scene.ground.kind == "transparent"
        else:
            assert pair.caption in ("x", *([f"x {scene.style}"] * (pair.kind == "told")))
        assert not np.array_equal(pair.picture, pair.condition)
        assert not any(is_withheld("generator3", *names) for names in combinations(other))
        kinds.append(pair.kind)
    shares = {kind: kinds.count(kind) / len(kinds) for kind in image_pairs.SHARES}
    assert shares == pytest.approx(image_pairs.SHARES, abs=0.13)


def test_pairs_are_always_the_same(drawn):
    first, second = (list(islice(image_pairs.image_pairs(), 10)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert one.caption == other.caption
        assert np.array_equal(one.condition, other.condition)
