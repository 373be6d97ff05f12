"""How much of a style is its finishing."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from examples.experiments.bench import finished_styles
from examples.experiments.bench.bench_items import CLEAR, Item
from examples.recipes.mini.art import Subject
from examples.recipes.mini.scene import Thing, Truth

STYLES = ("noto", "twemoji", "flat")
INKS = {"twemoji": ("ff0000",), "flat": ("0000ff",)}


def blob(color):
    """A disc in an uneven colour."""
    rows, columns = np.mgrid[:64, :64] - 31.5
    picture = np.zeros((64, 64, 4), np.uint8)
    noise = np.random.default_rng(0).integers(-6, 7, (64, 64, 1))
    picture[..., :3] = np.clip(np.array(color) + noise, 0, 255)
    picture[..., 3] = np.where(np.hypot(rows, columns) < 26, 255, 0)
    return Image.fromarray(picture)


def items_of(styles):
    subjects = [Subject(n, f"{n:x}", f"thing {n}", (), "thing") for n in range(len(styles))]
    truths = [
        Truth(style, (Thing(s),), "", CLEAR) for style, s in zip(styles, subjects, strict=True)
    ]
    return [Item(str(n), "single", "x", n, f"{n}", truth) for n, truth in enumerate(truths)]


def read_palettes(pictures, judge):
    """A judge that knows styles by their inks, to the digit."""
    known = {(255, 0, 0): 1, (0, 0, 255): 2}
    colors = [np.asarray(each.convert("RGBA"))[32, 32, :3].tolist() for each in pictures]
    return SimpleNamespace(style=torch.eye(3)[[known.get(tuple(c), 0) for c in colors]])


@pytest.fixture
def judge(monkeypatch):
    monkeypatch.setattr(finished_styles, "read_pictures", read_palettes)
    monkeypatch.setattr(finished_styles, "set_inks", lambda: INKS)
    return SimpleNamespace(styles=STYLES)


def test_what_is_printed_in_inks_passes_whatever_it_shows(judge):
    items = items_of(["twemoji", "flat", "noto", "twemoji"])
    pictures = [blob(color) for color in ((240, 10, 12), (10, 8, 236), (0, 0, 0), (238, 12, 10))]
    scores, chances = finished_styles.finished_scores(items, pictures, judge)
    passed = {name: list(values.values()) for name, values in scores.items()}
    assert passed == {
        "as drawn": [0, 0, 0],  # "noto" has shading and no inks
        "flat colours": [0, 0, 0],
        "the set's inks": [1, 1, 1],
    }
    assert set(scores["as drawn"]) == {"0", "1", "3"}
    # Another's picture passes where it is near to the inks that are claimed: red for red.
    assert chances == {"as drawn": 0, "flat colours": 0, "the set's inks": pytest.approx(2 / 6)}


def test_flat_colours_are_even_and_drawn_ones_stay(judge):
    picture = blob((120, 180, 40))
    assert finished_styles.finish(picture, finished_styles.AS_DRAWN, ()) is picture
    flat = np.asarray(finished_styles.finish(picture, finished_styles.FLAT, INKS["flat"]))
    assert flat.shape == (64, 64, 4)
    inner = flat[20:44, 20:44, :3].reshape(-1, 3)
    assert np.ptp(inner, 0).max() <= 1 < np.ptp(np.asarray(picture)[20:44, 20:44, 0])
    assert abs(inner.mean(0) - (120, 180, 40)).max() < 6  # and no ink of the set


def test_without_flat_pictures_there_is_nothing_to_say(judge):
    picture = blob((1, 2, 3))
    assert finished_styles.finished_scores(items_of(["noto"]), [picture], judge) == ({}, {})


def test_inks_are_those_that_ship():
    assert set(finished_styles.set_inks()) == {"twemoji", "flat"}
