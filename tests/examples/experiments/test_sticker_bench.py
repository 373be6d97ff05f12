"""StickerBench over drawings of our own.

Lists that share nothing, scores that are right for what is there.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from examples.experiments.bench import bench_images, bench_items, bench_scores, bench_table
from examples.recipes.mini import scene, world
from examples.recipes.mini.art import Subject
from examples.recipes.mini.backgrounds import Ground
from examples.recipes.mini.scene import Thing, Truth, is_withheld
from examples.recipes.mini.settings import SPRITE_PIXELS, STYLES
from stickerforge.models.judge.model import load_judge
from stickerforge.models.judge.network import Readings
from tests.examples.recipes.mini.scenes import make_subject, make_truths

NAMES = (
    "cat face",
    "dog face",
    "locomotive",
    "basket",
    "robot",
    "key",
    "crown",
    "glasses",
    "astronaut",
    "unicorn",
    "fox",
    "lion",
    "bear",
    "frog",
    "panda",
    "rose",
    "carrot",
    "balloon",
    "house",
    "rocket",
)


@pytest.fixture
def bench(monkeypatch):
    """StickerWorld over drawings of our own, half of its combinations withheld, short lists."""
    subjects = [
        Subject(i, f"{i:x}", name, ("thing", "drawn"), "thing") for i, name in enumerate(NAMES)
    ]
    rows, columns = np.mgrid[:SPRITE_PIXELS, :SPRITE_PIXELS] - SPRITE_PIXELS / 2
    sprites = np.zeros((len(NAMES), len(STYLES), SPRITE_PIXELS, SPRITE_PIXELS, 4), np.uint8)
    for i in range(len(NAMES)):
        for k in range(len(STYLES)):
            sprites[i, k][np.hypot(rows, columns) < (0.3 + 0.008 * i) * SPRITE_PIXELS] = (
                12 * i,
                255 - 12 * i,
                60 * k,
                255,
            )
    few = {"single": 6, "colour": 4, "pair": 6, "count": 4, "worn": 3, "long": 4, "diversity": 5}
    drawn = world.World(subjects, sprites)
    half = lambda part, *names: scene.stable_hash("|".join(names)) % 2 == 0  # noqa: E731
    monkeypatch.setattr(bench_items, "make_world", lambda *_, **__: drawn)
    monkeypatch.setattr(bench_items, "is_withheld", half)  # there are few names
    monkeypatch.setattr(bench_items, "COUNTS", few)
    bench_items.bench_world.cache_clear()
    yield drawn
    bench_items.bench_world.cache_clear()


def readings(rows, judge):
    sizes = (len(judge.labels), len(judge.labels), len(judge.styles), len(judge.colours), 5)
    return Readings(*(torch.zeros(rows, size) for size in sizes))


def test_lists_are_repeatable_and_share_no_combination(bench):
    test, dev = bench_items.bench_items("test", False), bench_items.bench_items("dev", False)
    assert [item.id for item in test] == [
        item.id for item in bench_items.bench_items("test", False)
    ]
    assert len(test) == sum(bench_items.COUNTS.values()) - bench_items.COUNTS["diversity"] + len(
        [i for i in test if i.family == "diversity"]
    )

    def shown(items):
        return {
            names
            for item in items
            if item.truth.style
            for names in bench_items.key_combinations(item.truth, item.family)
        }

    singles = [[item for item in items if item.family == "single"] for items in (test, dev)]
    assert not shown(singles[0]) & shown(singles[1])
    assert len({item.id for item in test}) == len(test) and set(
        few := bench_items.bench_items("test", True)
    ) < set(test)
    assert {item.family for item in few} == set(bench_items.COUNTS)
    assert all(
        sum(item.group == each.group for item in few) == bench_items.SEEDS
        for each in few
        if each.family == "diversity"
    )


def test_every_prompt_is_about_what_was_withheld(bench):
    for item in bench_items.bench_items("test", False):
        if item.family != "diversity":
            assert any(
                bench_items.is_withheld("generator", *names)
                for names in bench_items.key_combinations(item.truth, item.family)
            ), item


def own_label(judge, name):
    return judge.labels.index(judge.label_of[name])


def test_scores_of_what_the_judge_reads(bench):
    judge = load_judge("second")
    found = {item.family: item for item in bench_items.bench_items("test", False)}
    read = readings(1, judge)
    single = found["single"]
    read.subject[0, own_label(judge, single.truth.things[0].subject.name)] = 5
    read.style[0, judge.styles.index(single.truth.style)] = 5
    assert bench_scores.picture_scores(single, read, 0, judge) == {"subject": 1, "style": 1}
    assert bench_scores.picture_scores(single, readings(1, judge), 0, judge)["subject"] == float(
        judge.labels[0] == single.truth.things[0].subject.name
    )
    pair, read = found["pair"], readings(1, judge)
    names = [own_label(judge, thing.subject.name) for thing in pair.truth.things]
    read.presence[0, names[0]] = 3
    read.presence[0, [n for n in range(900, 930) if n not in names]] = 2
    assert bench_scores.picture_scores(pair, read, 0, judge) == {"both present": 0}
    read.presence[0, names[1]] = 3
    assert bench_scores.picture_scores(pair, read, 0, judge) == {"both present": 1}


@pytest.mark.parametrize(
    ("family", "score"),
    [
        ("count", "thing and number"),
        ("colour", "thing and colour"),
        ("worn", "thing and accessory"),
        ("long", "facts present"),
    ],
)
def test_a_claim_counts_only_where_the_thing_is_right(bench, family, score):
    judge = load_judge("second")
    item = next(i for i in bench_items.bench_items("test", False) if i.family == family)
    first, *others = bench_scores.expected_labels(item, judge)
    read = readings(1, judge)
    # Everything is as it was asked for, but for the thing.
    read.presence[0, others] = 5
    read.style[0, judge.styles.index(item.truth.style)] = 5
    read.count[0, sum(thing.count for thing in item.truth.things) - 1] = 5
    if item.truth.things[0].colour:
        read.colours[0, judge.colours.index(item.truth.things[0].colour)] = 5
    elsewhere = [n for n in range(900, 960) if n not in (first, *others)]
    read.presence[0, elsewhere] = read.subject[0, elsewhere] = 4
    found = bench_scores.picture_scores(item, read, 0, judge)
    assert found == {"thing": 0, score: 0}
    read.presence[0, first] = read.subject[0, first] = 5
    assert bench_scores.picture_scores(item, read, 0, judge) == {"thing": 1, score: 1}


def test_no_picture_stands_for_its_own_prompt_by_chance():
    groups = ["a", "b", "a", "c", "b", "d"]
    rounds = bench_scores.other_rows(groups)
    assert len(rounds) == 3 == len({tuple(rows) for rows in rounds})
    for rows in rounds:
        assert all(groups[row] != own for own, row in zip(groups, rows, strict=True))
        for group in "ab":  # pictures of one prompt meet those of one other prompt
            assert (
                len({groups[r] for r, own in zip(rows, groups, strict=True) if own == group}) == 1
            )
    # Over all rounds every prompt meets every other one.
    met = {(own, groups[row]) for rows in rounds for own, row in zip(groups, rows, strict=True)}
    assert len(met) == 4 * 3
    assert rounds == bench_scores.other_rows(groups)
    assert bench_scores.other_rows(["a", "a"]) == []


def test_chance_is_the_share_of_prompts_that_ask_for_the_same(bench):
    judge = load_judge("second")
    every = bench_items.bench_items("test", False)
    items = list({i.group: i for i in every if i.family == "single"}.values())
    read = readings(len(items), judge)
    for row, item in enumerate(items):
        read.subject[row, own_label(judge, item.truth.things[0].subject.name)] = 5
        read.style[row, judge.styles.index(item.truth.style)] = 5
    pairs = [(a, b) for a in items for b in items if a.group != b.group]
    same = np.mean([a.truth.style == b.truth.style for a, b in pairs])
    assert bench_scores.chance_levels(items, read, judge)["style"] == pytest.approx(same)


def test_a_model_that_draws_like_the_world_scores_what_real_renders_do(bench):
    scenes, judge = bench, load_judge("second")
    chosen = bench_items.bench_items("test", False)
    rows = bench_table.score_table(
        chosen, lambda item: bench_images.render_truth(item, scenes), judge, scenes
    )
    figures = {name: row.figure() for name, row in rows.items()}
    assert figures and all(row["made"] == row["real"] for row in figures.values())
    assert {name.split(":")[0] for name in figures} == set(bench_items.COUNTS)
    assert all(row["chance"] is not None for row in figures.values())
    missing = bench_table.score_table(chosen, lambda item: None, judge, scenes)
    figure = missing["diversity"].figure()
    assert figure["made"] == pytest.approx(0, abs=1e-4) and figure["real"] > 0.01


def test_lists_of_version_3_hold_only_what_version_2_was_not_shown(monkeypatch):
    learned, new, worn = (
        make_subject(*each) for each in (("cat face",), ("banana", "1f34c"), ("crown", "1f451"))
    )
    for each in (learned, new, worn):
        for number in range(400):
            truth = Truth(f"style {number}", (Thing(each),), "", Ground("transparent"))
            names = (each.codepoints, truth.style)
            wanted = (
                is_withheld("generator3", *names)
                and each is not worn
                and (each is new or is_withheld("generator", *names))
            )
            assert bench_items.is_unseen(truth, names, 3) == wanted


def test_what_cannot_be_named_is_not_diverse(monkeypatch):
    truth = make_truths()["plain"]
    items = [
        bench_items.Item(f"{i}", "diversity", "cat", i, "cat", truth, ("cat",)) for i in range(4)
    ]
    # A cat's face, a whole cat, twice something else.
    read = SimpleNamespace(subject=torch.eye(3)[[0, 1, 2, 2]])
    judge = SimpleNamespace(
        labels=["cat face", "cat", "dog"],
        label_of={name: name for name in ("cat face", "cat", "dog")},
    )
    score = lambda rows, version: bench_scores.pairwise_diversity(  # noqa: E731
        items, rows, np.eye(4), read, judge, version
    )
    assert score(range(4), 2) == {"cat": 1.0}
    assert score(range(4), 3) == {"cat": pytest.approx(1 / 6)}  # one of six pairs shows cats
    assert score([2, 3, 3, 2], 3) == {"cat": 0.0}  # somebody else's pictures
