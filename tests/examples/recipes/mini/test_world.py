"""StickerWorld over drawings of our own: what it says is what it draws."""

import numpy as np
import pytest

from examples.recipes.mini import art
from examples.recipes.mini.backgrounds import Ground, ground_phrase, random_ground, render_ground
from examples.recipes.mini.captions import REGISTERS, article, caption, plural
from examples.recipes.mini.scene import combinations, is_withheld
from examples.recipes.mini.settings import PIXELS, SPRITE_PIXELS, STYLES
from examples.recipes.mini.world import RELATIONS, World

NAMES = (
    "cat face",
    "dog face",
    "red apple",
    "locomotive",
    "basket",
    "robot",
    "key",
    "crown",
    "glasses",
    "astronaut",
    "T-Rex",
    "unicorn",
)


@pytest.fixture(scope="module")
def world():
    subjects = [
        art.Subject(i, f"{i:x}", name, ("thing", "object", "drawn"), "thing")
        for i, name in enumerate(NAMES)
    ]
    rows, columns = np.mgrid[:SPRITE_PIXELS, :SPRITE_PIXELS] - SPRITE_PIXELS / 2
    disc = np.hypot(rows, columns) < 0.46 * SPRITE_PIXELS
    sprites = np.zeros((len(NAMES), len(STYLES), SPRITE_PIXELS, SPRITE_PIXELS, 4), np.uint8)
    for i in range(len(NAMES)):
        for k in range(len(STYLES)):
            sprites[i, k][disc] = (20 * i, 255 - 20 * i, 60 * k, 255)
    return World(subjects, sprites)


def test_a_scene_is_a_function_of_its_index(world):
    for index in (0, 7, 31):
        (first, truth), (again, same) = world[index], world[index]
        assert np.array_equal(first, again) and truth == same
    assert not np.array_equal(world[0][0], world[1][0])


def test_boxes_lie_around_what_is_drawn(world):
    found = 0
    for index in range(150):
        picture, truth = world[index]
        assert len(truth.boxes) == sum(thing.count for thing in truth.things)
        if truth.ground.kind == "transparent" and not any(thing.wears for thing in truth.things):
            found += 1
            rows, columns = np.where(picture[..., 3] > 32)
            left, top, right, bottom = (np.array(edges) for edges in zip(*truth.boxes, strict=True))
            assert (
                abs(left.min() * PIXELS - columns.min()) <= 1
                and abs(right.max() * PIXELS - columns.max() - 1) <= 1
            )
            assert (
                abs(top.min() * PIXELS - rows.min()) <= 1
                and abs(bottom.max() * PIXELS - rows.max() - 1) <= 1
            )
    assert found > 20


def test_relations_are_true(world):
    relations = set()
    for index in range(600):
        _, truth = world[index]
        if not truth.relation:
            continue
        relations.add(truth.relation)
        (left, top, right, bottom), (l2, t2, r2, b2) = truth.boxes
        x, y, x2, y2 = (left + right) / 2, (top + bottom) / 2, (l2 + r2) / 2, (t2 + b2) / 2
        expected = {
            "to the left of": x < x2,
            "to the right of": x > x2,
            "above": y < y2,
            "below": y > y2,
        }
        assert expected.get(truth.relation, True), truth
    assert relations == set(RELATIONS)


def test_nothing_is_off_the_picture_or_too_small(world):
    for index in range(200):
        _, truth = world[index]
        for left, top, right, bottom in truth.boxes:
            assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1
            assert right - left > 0.2 and bottom - top > 0.2


def test_captions_say_the_truth_in_four_registers(world):
    for index in range(200):
        _, truth = world[index]
        captions = {
            register: caption(truth, register, np.random.default_rng(index))
            for register in REGISTERS
        }
        assert captions == {
            register: caption(truth, register, np.random.default_rng(index))
            for register in REGISTERS
        }
        assert len(captions["terse"]) <= len(captions["comprehensive"]) < len(captions["long"])
        assert (
            truth.style in captions["plain"]
            and truth.style in captions["comprehensive"]
            and truth.style in captions["long"]
        )
        assert (
            ground_phrase(truth.ground) in captions["comprehensive"]
            and truth.relation in captions["comprehensive"]
        )
        for thing in truth.things:
            assert thing.colour in captions["terse"] and thing.colour in captions["long"]
            assert (
                thing.count == 1
                or {2: "two", 3: "three", 4: "four", 5: "five"}[thing.count] in captions["plain"]
            )
        assert 55 <= len(captions["long"].split()) <= 200


def test_what_is_withheld_follows_the_rule(world):
    pairs = [(f"{number:x}", style) for number in range(2000) for style in STYLES]
    shares = {
        part: np.mean([is_withheld(part, *pair) for pair in pairs])
        for part in ("all", "generator", "judge")
    }
    assert (
        shares["all"] == 0
        and abs(shares["generator"] - 1 / 16) < 0.01
        and abs(shares["judge"] - 1 / 5) < 0.015
    )
    for part in ("generator", "judge"):
        shown = World(world.subjects, world.sprites, part=part)
        for index in range(100):
            assert not any(is_withheld(part, *names) for names in combinations(shown[index][1]))


def test_grounds(world):
    kinds = {random_ground(np.random.default_rng(seed)).kind for seed in range(60)}
    assert kinds == {"transparent", "plain", "gradient", "pattern", "place"}
    assert render_ground(Ground("transparent")).max() == 0
    assert (render_ground(Ground("plain", "", ("pale blue",)))[..., 3] == 255).all()
    assert ground_phrase(Ground("plain", "", ("pale blue",))) == "on a pale blue ground"


PLURALS = {
    "red apple": "red apples",
    "fox": "foxes",
    "cherry blossom": "cherry blossoms",
    "pie": "pies",
    "puppy": "puppies",
    "key": "keys",
    "maple leaf": "maple leaves",
    "face with tears of joy": "faces with tears of joy",
    "glasses": "glasses",
    "toy car": "toy cars",
    "piece of cake": "pieces of cake",
}


@pytest.mark.parametrize(("one", "many"), PLURALS.items())
def test_plurals(one, many):
    assert plural(one) == many


def test_articles():
    assert [article(word) for word in ("apple", "cat", "unicorn", "sunglasses", "elephant")] == [
        "an apple",
        "a cat",
        "a unicorn",
        "sunglasses",
        "an elephant",
    ]
