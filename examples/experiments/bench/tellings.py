"""The family "wording": everyday tellings of one thing, beside its plain name on the same seed.

The other families ask in the wording of the training's captions, which flatters. The model gets
these as they stand (`words.unknown=keep`); as `generate` delivers them they are a row of their own.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from examples.experiments.bench.bench_images import find_picture
from examples.experiments.bench.bench_items import (
    CLEAR,
    QUICK,
    Item,
    bench_world,
    in_list,
    synonyms,
)
from examples.experiments.bench.bench_table import Row, score_table
from examples.recipes.mini.captions import article
from examples.recipes.mini.scene import Thing, Truth
from examples.recipes.mini.settings import HERE as RECIPE
from examples.recipes.mini.vocabulary import short_name
from stickerforge.evaluation.statistics import group_means, paired_difference
from stickerforge.models.judge.model import Judge

HERE = Path(__file__).resolve().parent
WORDING, PLAIN = "wording", "plain name"
SUBJECTS = 4  # of each telling
KINDS = ("animal", "food", "transport", "plant")  # things that lend themselves to every telling
USED = (  # files of whatever wording the recipe and the other benches use
    *(
        RECIPE / name
        for name in (
            "captions.py",
            "caption_sampler.py",
            "everyday.txt",
            "hypernyms.txt",
            "paraphrases.py",
            "phrase_lists.py",
            "things.py",
            "wordings.txt",
        )
    ),
    HERE / "user_prompts.txt",
)


def read_tellings() -> list[str]:
    """All of them, with "{}" for the thing."""
    lines = (HERE / "tellings.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def words_in(text: str) -> set[str]:
    """Its words in lower case."""
    return set(re.findall(r"[^\W\d_]+", text.lower().replace("’", "'")))


@cache
def used_words() -> frozenset[str]:
    """Every word that the recipe or another bench uses."""
    return frozenset().union(*(words_in(path.read_text()) for path in USED))


def is_new(telling: str) -> bool:
    """Whether a telling has a word that nothing else uses."""
    return bool(words_in(telling) - used_words())


def tell(telling: str, name: str) -> str:
    """A telling of a thing by this name."""
    return telling.replace("a {}", article(name)) if "a {}" in telling else telling.format(name)


def telling_subjects(which: str, version: int) -> list[str]:
    """Names of learned subjects of a list, in an order of their own."""
    fit = [
        s.name
        for s in bench_world(version).subjects
        if s.kind in KINDS
        and not short_name(s.name).endswith("s")
        and in_list(which, s.codepoints, version)
    ]
    return [fit[row] for row in np.random.default_rng(79).permutation(len(fit))]


def telling_items(which: str, quick: bool, version: int) -> list[Item]:
    """Each telling with `SUBJECTS` things, and each of these by its plain name.

    Prompts name no style; tellings are the groups, as pictures of one stand or fall together.
    """
    scenes, names = bench_world(version), telling_subjects(which, version)
    mark, results = "dev-" if which == "dev" else "", []
    for number, telling in enumerate(read_tellings()):
        if quick and number % QUICK:
            continue
        for place in range(SUBJECTS):
            name = names[(SUBJECTS * number + place) % len(names)]
            truth = Truth("", (Thing(scenes.by_name[name]),), "", CLEAR)
            for family, text in (
                (WORDING, tell(telling, short_name(name))),
                (PLAIN, short_name(name)),
            ):
                results.append(
                    Item(
                        f"{mark}{family.replace(' ', '-')}-{number:02d}-{place}",
                        family,
                        text,
                        1000 + place,
                        telling,
                        truth,
                        synonyms(name, version),
                    )
                )
    return results


def wording_rows(
    rows: Mapping[str, Row], items: Sequence[Item], delivered: Path, judge: Judge, version: int
) -> dict[str, Row]:
    """What the rows of all tellings hold besides: those with a word that nothing else uses, and
    all as they are delivered, where there is a folder of these.
    """
    row = rows[f"{WORDING}: subject"]
    new = {each: value for each, value in row.made.items() if is_new(row.groups[each])}
    results = {f"{WORDING}: subject, new words": replace(row, made=new)} if new else {}
    if delivered.is_dir():
        own = [item for item in items if item.family == WORDING]
        find = partial(find_picture, folder=delivered)
        found = score_table(own, find, judge, bench_world(version), version)
        results[f"{WORDING}: subject, as delivered"] = found[f"{WORDING}: subject"]
    return results


def wording_loss(rows: Mapping[str, Row]) -> dict[str, float | None]:
    """What tellings change against the plain names of the same things, telling by telling."""
    told, plain = (rows[f"{family}: subject"] for family in (WORDING, PLAIN))
    means = [
        group_means([*r.made.values()], [r.groups[each] for each in r.made]) for r in (told, plain)
    ]
    return paired_difference(means[0] - means[1])
