"""Captions for the scenes of version 3: names, everyday words, keywords, paraphrases.

Some words name several drawings ("cat" a face and a whole cat), so that seeds differ. Where a thing
is mirrored, small or somewhere else, the caption says so: places that were not told tore subjects
apart.
"""

import re
from collections.abc import Mapping
from functools import cache

import numpy as np

from examples.recipes.mini.art import Subject, load_subjects
from examples.recipes.mini.captions import COLOURS, caption, coloured_name
from examples.recipes.mini.dataset import COMPREHENSIVE, VARIANT_WEIGHTS, caption_variants
from examples.recipes.mini.paraphrases import Paraphrase, choose, paraphrase, random_ending
from examples.recipes.mini.phrase_lists import listed_words
from examples.recipes.mini.scene import Thing, Truth
from examples.recipes.mini.settings import HERE
from examples.recipes.mini.vocabulary import short_name
from examples.recipes.mini.world import World

# Shares of captions: none, at length, in the short variants of version 2.
EMPTY_SHARE, LONG_SHARE, PLAIN_SHARE = 0.1, 0.12, 0.15
# How a thing is called.
NAME_SHARES = {"short": 0.5, "name": 0.15, "everyday": 0.25, "keyword": 0.1}
# How often a set phrase ("good night") is the caption of a thing that has one and is shown alone.
SET_PHRASE_SHARE = 0.5
MAX_SHARED = 3  # subjects that may share a keyword by which one of them is called


@cache
def everyday_words() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """CLDR name -> (everyday nouns for it, set phrases for it), from everyday.txt."""
    results: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for line in (HERE / "everyday.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            words, names = line.split(": ", 1)
            nouns, _, alone = (part.strip() for part in words.partition("|"))
            both = tuple(
                tuple(word.strip() for word in part.split(",") if word.strip())
                for part in (nouns, alone)
            )
            for name in names.split("; "):
                before = results.get(name, ((), ()))
                results[name] = (before[0] + both[0], before[1] + both[1])
    return results


def held_out_words() -> set[str]:
    """Every word of the wordings that the bench keeps for itself."""
    lines = (HERE / "wordings.txt").read_text().splitlines()
    wordings = [line.split("\t")[1] for line in lines if line.startswith(("dev", "test"))]
    return set(re.findall(r"\w+", " ".join(wordings).lower()))


def distinctive_keywords(subjects: list[Subject], names: set[str]) -> dict[str, tuple[str, ...]]:
    """CLDR name -> keywords that few subjects share and that name nothing else.

    Args:
        names: what a keyword may not be.
    """
    shared: dict[str, set[str]] = {}
    for subject in subjects:
        for word in subject.keywords:
            shared.setdefault(word.lower(), set()).add(subject.name)
    taken = (
        {name.lower() for name in names}
        | {short_name(name).lower() for name in names}
        | listed_words()
        | held_out_words()
    )
    return {
        subject.name: tuple(
            w
            for w in subject.keywords
            if len(shared[w.lower()]) <= MAX_SHARED and len(w) > 2 and w.lower() not in taken
        )
        for subject in subjects
    }


class CaptionSampler:
    """Makes captions of scenes, each time another one."""

    def __init__(self, subjects: list[Subject], names: set[str]) -> None:
        """Args:
        subjects: those of the scenes; their keywords are compared.
        names: of all subjects, held-out ones too: none is taught as a word for another.
        """
        self.keywords: Mapping[str, tuple[str, ...]] = distinctive_keywords(subjects, names)

    def name(self, thing: Thing, rng: np.random.Generator) -> str:
        """A name of a thing: its short one, its full one, an everyday word, or a keyword."""
        way = str(rng.choice(list(NAME_SHARES), p=list(NAME_SHARES.values())))
        nouns = everyday_words().get(thing.subject.name, ((), ()))[0]
        result = (
            nouns
            if way == "everyday"
            else self.keywords.get(thing.subject.name, ())
            if way == "keyword"
            else ()
        )
        fit = [
            word
            for word in result
            if not (thing.count > 1 and word.endswith("s"))
            and not (thing.colour and word.startswith(COLOURS))
        ]
        if not fit:
            return shorten_name(coloured_name(thing, way != "name"), rng)
        return f"{thing.colour} {choose(rng, tuple(fit))}".strip()

    def set_phrase(self, truth: Truth, rng: np.random.Generator) -> str:
        """A set phrase for a single plain thing ("good night"), with a style; "" for others."""
        first = truth.things[0]
        usual = (
            len(truth.things) == 1
            and first == Thing(first.subject)
            and truth.ground.kind == "transparent"
        )
        words = everyday_words().get(first.subject.name, ((), ()))[1]
        if not (usual and words and rng.random() < SET_PHRASE_SHARE):
            return ""
        style = f"in {truth.style} style" if rng.random() < 0.7 else ""
        after = random_ending(rng) if rng.random() < 0.25 else ""
        text = choose(rng, words) + (after if after[:1] in "!.?" else f" {after}")
        return ", ".join(part for part in (text.strip(), style) if part)

    def __call__(self, truth: Truth, rng: np.random.Generator) -> str:
        """A caption."""
        drawn = rng.random()
        if drawn < EMPTY_SHARE:
            return ""
        if truth.things[0].mirrored:
            return self.paraphrase(truth, rng).text
        if drawn < EMPTY_SHARE + LONG_SHARE:
            return caption(truth, "long", rng)
        if drawn < EMPTY_SHARE + LONG_SHARE + PLAIN_SHARE:
            elsewhere = (
                truth.things[0].size != "large"
                and truth.things[0].count == 1
                and not truth.relation
            )
            return caption_variants(truth, rng)[
                COMPREHENSIVE if elsewhere else rng.choice(len(VARIANT_WEIGHTS), p=VARIANT_WEIGHTS)
            ]
        return self.set_phrase(truth, rng) or self.paraphrase(truth, rng).text

    def paraphrase(self, truth: Truth, rng: np.random.Generator) -> Paraphrase:
        """As somebody might type it, and plainly, with names of this sampler."""
        return paraphrase(truth, rng, [self.name(thing, rng) for thing in truth.things])


def make_caption_sampler(scenes: World) -> CaptionSampler:
    """The captions of a world's scenes."""
    return CaptionSampler(scenes.subjects, {subject.name for subject in load_subjects(3)[0]})


def shorten_name(name: str, rng: np.random.Generator) -> str:
    """A long name, now and then with what people leave out of it.

    "tears of joy" for "face with tears of joy".
    """
    if len(name.split()) < 3 or rng.random() < 0.7:
        return name
    left = re.sub(r"\bface\b( with)?", " ", name).split()
    words = [word for word in left if word not in ("with", "of", "in", "on") or rng.random() < 0.5]
    return " ".join(words) or name
