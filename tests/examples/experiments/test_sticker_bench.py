"""StickerBench over drawings of our own.

Lists that share nothing, scores that are right for what is there.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from examples.experiments.bench import (
    bench_images,
    bench_items,
    sticker_bench,
)
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
    for module in (bench_items, sticker_bench):
        monkeypatch.setattr(module, "COUNTS", few)
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


def test_scores_of_what_the_judge_reads(bench):
    judge = load_judge("second")
    found = {item.family: item for item in bench_items.bench_items("test", False)}
    read = readings(1, judge)
    single = found["single"]
    read.subject[0, judge.labels.index(judge.label_of[single.truth.things[0].subject.name])] = 5
    read.style[0, judge.styles.index(single.truth.style)] = 5
    assert sticker_bench.picture_scores(single, read, 0, judge) == {"subject": 1, "style": 1}
    assert sticker_bench.picture_scores(single, readings(1, judge), 0, judge)["subject"] == float(
        judge.labels[0] == single.truth.things[0].subject.name
    )
    count = found["count"]
    read.count[0, count.truth.things[0].count - 1] = 1
    assert sticker_bench.picture_scores(count, read, 0, judge) == {"count": 1}
    pair = found["pair"]
    names = [judge.labels.index(judge.label_of[thing.subject.name]) for thing in pair.truth.things]
    read.presence[0, names[0]] = 3
    read.presence[0, [n for n in range(900, 930) if n not in names]] = 2
    assert sticker_bench.picture_scores(pair, read, 0, judge) == {"all present": 0}
    read.presence[0, names[1]] = 3
    assert sticker_bench.picture_scores(pair, read, 0, judge) == {"all present": 1}


def test_a_model_that_draws_like_the_world_scores_one(bench):
    scenes, judge = bench, load_judge("second")
    chosen = bench_items.bench_items("test", False)
    rows = sticker_bench.score_table(
        chosen, lambda item: bench_images.render_truth(item, scenes), judge
    )
    assert rows and all(
        row["share"] == pytest.approx(1) for row in rows.values() if row["real"] > 0
    )
    assert {name.split(":")[0] for name in rows} == set(bench_items.COUNTS)
    missing = sticker_bench.score_table(chosen, lambda item: None, judge)
    assert (
        missing["diversity"]["share"] == pytest.approx(0, abs=1e-4)
        and missing["diversity"]["real"] > 0
    )


def test_shares_and_their_intervals(bench):
    rng = np.random.default_rng(0)
    ours, real = (rng.random(200) < 0.4).astype(float), (rng.random(200) < 0.8).astype(float)
    row = sticker_bench.score_ratio(ours, real)
    assert (
        row["share"] == pytest.approx(ours.mean() / real.mean(), abs=1e-4)
        and row["low"] < row["share"] < row["high"]
    )


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
    subject = torch.eye(3)[[0, 1, 2, 2]]  # a cat's face, a whole cat, twice something else
    judge = SimpleNamespace(
        labels=["cat face", "cat", "dog"],
        label_of={name: name for name in ("cat face", "cat", "dog")},
        pictures=lambda pictures: pictures,
        encode_image=lambda pictures: torch.eye(4),
        read=lambda pictures: SimpleNamespace(subject=subject),
    )
    assert sticker_bench.pairwise_diversity(items, [None] * 4, judge, 2) == {"cat": 1.0}
    # One of six pairs shows cats.
    assert sticker_bench.pairwise_diversity(items, [None] * 4, judge, 3) == {
        "cat": pytest.approx(1 / 6)
    }
