"""The prompts of StickerBench, and the combinations that they are about."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from examples.recipes.mini.art import learned_kinds
from examples.recipes.mini.backgrounds import Ground
from examples.recipes.mini.caption_sampler import everyday_words
from examples.recipes.mini.captions import caption
from examples.recipes.mini.dataset_3 import training_world_3
from examples.recipes.mini.scene import Thing, Truth, combinations, is_withheld, stable_hash
from examples.recipes.mini.settings import STYLES
from examples.recipes.mini.vocabulary import EYEWEAR, HATS, HUES, short_name
from examples.recipes.mini.world import World, make_world
from stickerforge.models.judge.model import Judge
from stickerforge.models.judge.network import Readings

CLEAR = Ground("transparent")
COUNTS = {
    "single": 400,
    "colour": 100,
    "pair": 100,
    "count": 60,
    "worn": 100,
    "long": 60,
    "diversity": 50,
}
SEEDS = 8  # pictures per prompt of the family "diversity"
QUICK = 4  # every fourth prompt


@dataclass(frozen=True)
class Item:
    """One picture to be made.

    Args:
        group: prompts that belong together: the bootstrap draws these; from version 3 on all that
            ask for one combination.
        truth: where no style is asked for, real renders are those of all styles.
        others: further subjects that answer the same word ("cat": a face, a whole cat), from
            version 3 on.
    """

    id: str
    family: str
    prompt: str
    seed: int
    group: str
    truth: Truth
    others: tuple[str, ...] = ()

    def right(self, read: Readings, row: int, judge: Judge) -> bool:
        """Whether the judge reads the subject first."""
        names = (self.truth.things[0].subject.name, *self.others)
        return int(read.subject[row].argmax()) in {
            judge.labels.index(judge.label_of[name]) for name in names
        }


def synonyms(name: str, version: int) -> tuple[str, ...]:
    """Subjects that answer the word by which people call one."""
    word = short_name(name)
    return (
        ()
        if version == 2
        else tuple(
            other
            for other, (nouns, _) in everyday_words().items()
            if word in nouns and other != name
        )
    )


@cache
def bench_world(version: int) -> World:
    """All scenes over the subjects that a version learns."""
    return make_world("all", learned_only=True) if version == 2 else training_world_3(part="all")


def is_unseen(truth: Truth, names: tuple[str, ...], version: int) -> bool:
    """Whether a combination was withheld from a version and from those that it goes on from."""
    if version == 2:
        return is_withheld("generator", *names)
    worn = {
        thing.subject.codepoints
        for thing in truth.things
        if thing.subject.name in (*HATS, *EYEWEAR, "astronaut")
    }
    if worn & set(names) and truth.style in names:  # version 2 saw them worn in all styles
        return False
    new = {
        thing.subject.codepoints
        for thing in truth.things
        if thing.subject.name not in learned_kinds(2)
    }
    return is_withheld("generator3", *names) and (
        bool(new & set(names)) or is_withheld("generator", *names)
    )


def candidates(
    scenes: World, family: str, rng: np.random.Generator, version: int = 2
) -> Iterator[Truth]:
    """Scenes of a family, without end.

    Those that show a combination which no weights were shown.
    """
    kinds = {
        "single": ("one",),
        "colour": ("one",),
        "pair": ("pair",),
        "count": ("counted",),
        "worn": ("dressed", "suited"),
    }
    while True:
        kind = str(rng.choice(kinds.get(family, ("one", "pair", "counted", "dressed"))))
        drawn_things = getattr(scenes, kind)(rng)
        if drawn_things is None:
            continue
        things, relation = drawn_things
        if family == "colour":
            colour = str(rng.choice(list(HUES)))
            if not scenes.can_recolour(things[0].subject, colour):
                continue
            things = (replace(things[0], colour=colour),)
        elif family != "long":
            things = tuple(replace(thing, colour="") for thing in things)
        if family == "count":
            things = (replace(things[0], count=int(rng.integers(2, 5))),)
        truth = Truth(str(rng.choice(STYLES)), things, relation, CLEAR)
        if any(is_unseen(truth, names, version) for names in key_combinations(truth, family)):
            yield truth


def key_combinations(truth: Truth, family: str) -> list[tuple[str, ...]]:
    """The combinations that a family is about."""
    both = combinations(truth)
    if family in ("single", "count"):
        return [names for names in both if names[1] == truth.style]
    if family == "long":
        return both
    return [names for names in both if truth.style not in names]


def prompt_for(truth: Truth, family: str, rng: np.random.Generator) -> str:
    """How a prompt asks for it."""
    if family == "long":
        return caption(truth, "long", rng)
    return caption(truth, "comprehensive", rng).replace(
        f", {truth.style} style", f", in {truth.style} style"
    )


def in_list(which: str, key: str, version: int) -> bool:
    """Whether something belongs to the list `test` or `dev`: by its hash.

    What was on version 2's `dev` is on version 3's, too.
    """
    names = ("list",) if version == 2 else ("list3", "list")
    return any(stable_hash(f"{name}|{key}") % 4 == 0 for name in names) == (which == "dev")


def bench_items(which: str, quick: bool, version: int = 2) -> list[Item]:
    """Every picture of a list; a scene belongs to `test` or `dev` by the hash of what it shows."""
    results: list[Item] = []
    for family, count in COUNTS.items():
        if family == "diversity":
            results += diversity_items(bench_world(version), which, count, version)
        else:
            results += family_items(family, which, version)
    return quick_subset(results) if quick else results


def family_items(family: str, which: str, version: int = 2) -> list[Item]:
    """The pictures of a family whose pictures are scored one by one."""
    rng = np.random.default_rng((77, list(COUNTS).index(family)))
    mark = "dev-" if which == "dev" else ""
    selected: dict[str, Item] = {}
    repeats: dict[str, int] = {}
    for truth in candidates(bench_world(version), family, rng, version):
        if len(selected) == COUNTS[family]:
            break
        key = "|".join(sorted("|".join(names) for names in key_combinations(truth, family)))
        if not in_list(which, key, version):
            continue
        prompt = prompt_for(truth, family, rng)
        repeats[prompt] = repeats.get(prompt, -1) + 1
        name = f"{mark}{family}-{len(selected):03d}"
        group = prompt if version == 2 else key
        same = synonyms(truth.things[0].subject.name, version)
        selected[name] = Item(name, family, prompt, 1000 + repeats[prompt], group, truth, same)
    return list(selected.values())


def quick_subset(found: list[Item]) -> list[Item]:
    """Every QUICK-th prompt, those of "diversity" with all their pictures."""
    groups = list(dict.fromkeys(item.group for item in found if item.family == "diversity"))[
        ::QUICK
    ]
    others = [item for item in found if item.family != "diversity"][::QUICK]
    return others + [item for item in found if item.family == "diversity" and item.group in groups]


def diversity_items(scenes: World, which: str, count: int, version: int = 2) -> list[Item]:
    """Prompts without a style, each SEEDS times."""
    pool = [s for s in scenes.subjects if in_list(which, s.codepoints, version)]
    order = np.random.default_rng(78).permutation(len(pool))[:count]
    mark = "dev-" if which == "dev" else ""
    bare = {i: Truth("", (Thing(pool[i]),), "", CLEAR) for i in order}
    return [
        Item(
            f"{mark}diversity-{n:03d}-{seed}",
            "diversity",
            short_name(pool[i].name),
            1000 + seed,
            pool[i].name,
            bare[i],
            synonyms(pool[i].name, version),
        )
        for n, i in enumerate(order)
        for seed in range(SEEDS)
    ]
