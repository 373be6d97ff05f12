"""The recipe of the judges: labels, colours, figures. What needs the fetched art is not tested
here.
"""

import json

import numpy as np
import pytest

from examples.recipes.judge import dataset, gates, labels
from examples.recipes.mini import captions
from stickerforge.models.judge.model import FOLDER


@pytest.mark.parametrize(
    "name, expected",
    [
        ("five-thirty", "clock face"),
        ("twelve o’clock", "clock face"),
        ("light blue heart", "heart"),
        ("orange book", "book"),
        ("woman teacher", "teacher"),
        ("teacher", "teacher"),
        ("woman with white cane", "person with white cane"),
        ("woman’s hat", "woman’s hat"),
        ("person swimming", "person swimming"),
        ("cat face", "cat face"),
        ("broken heart", "broken heart"),
    ],
)
def test_what_nobody_could_tell_apart_shares_a_label(name, expected):
    names = {
        "woman teacher",
        "man teacher",
        "teacher",
        "woman with white cane",
        "man with white cane",
        "person swimming",
    }
    assert labels.label(name, names) == expected


def test_the_card_has_the_labels_of_the_recipe():
    card = json.loads((FOLDER / "card.json").read_text())
    names = set(card["label_of"])
    assert {name: labels.label(name, names) for name in names} == card["label_of"]
    assert set(card["label_of"].values()) == set(card["labels"]) and len(card["labels"]) == len(
        set(card["labels"])
    )


@pytest.mark.parametrize(
    "rgb, colour",
    [
        ((226, 40, 40), "red"),
        ((250, 150, 50), "orange"),
        ((250, 220, 60), "yellow"),
        ((60, 170, 80), "green"),
        ((60, 120, 230), "blue"),
        ((140, 60, 200), "purple"),
        ((250, 170, 190), "pink"),
        ((120, 80, 50), "brown"),
        ((250, 250, 250), "white"),
        ((20, 20, 20), "black"),
        ((140, 140, 142), "grey"),
    ],
)
def test_flat_colours_have_their_names(rgb, colour):
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[:, :4] = (*rgb, 255)
    shares = dataset.colour_shares(rgba)
    assert shares[captions.COLOURS.index(colour)] == 1 and shares.sum() == 1


def test_nothing_visible_has_no_colour():
    assert dataset.colour_shares(np.zeros((8, 8, 4), np.uint8)).sum() == 0


def test_average_precision_against_its_definition():
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores, present = rng.random(30), rng.random(30) < 0.3
        present[0] = True
        order = sorted(range(30), key=lambda i: -scores[i])
        expected, hits = 0.0, 0
        for rank, i in enumerate(order, 1):
            if present[i]:
                hits += 1
                expected += hits / rank
        assert gates.average_precision(scores, present) == pytest.approx(expected / present.sum())
    assert gates.average_precision(np.arange(5.0), np.array([0, 0, 0, 1, 1], bool)) == 1
