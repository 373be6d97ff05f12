"""Paraphrases: how people put what they want, the same scene drawn anew each time.

python -m examples.recipes.mini.paraphrases [--count 40]      samples, each beside what it means

Words that change a picture (colours, numbers, sizes, places, what is worn) keep their meaning;
moods, requests, picture words, endings, words that mean nothing here and typing errors are to
change nothing.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from examples.recipes.mini.backgrounds import ground_phrase
from examples.recipes.mini.captions import (
    NUMBERS,
    article,
    coloured_name,
    noun_phrase,
    place_phrase,
    plural,
)
from examples.recipes.mini.dataset import training_world
from examples.recipes.mini.phrase_lists import (
    DETERMINERS,
    ENDINGS,
    INTENSE,
    KINDS,
    MIRROR_PHRASES,
    MOODS,
    POLITE,
    PREPOSITIONS,
    QUALITY,
    RECEIVERS,
    REQUESTS,
    SYLLABLES,
    VERBS,
    WEARING,
)
from examples.recipes.mini.scene import Thing, Truth
from examples.recipes.mini.vocabulary import EYEWEAR

INVENTED_SHARE = 0.2  # share of added adjectives that no language has
TYPO_SHARE = 0.06  # share of captions with a typing error


@dataclass(frozen=True)
class Paraphrase:
    """One scene in two ways.

    Args:
        plain: as a caption of sticker-mini 2.
        text: as somebody might type it; means the same.
    """

    plain: str
    text: str


def choose(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    """One of them."""
    return words[int(rng.integers(len(words)))]


def invent_word(rng: np.random.Generator) -> str:
    """A word that means nothing."""
    return "".join(choose(rng, SYLLABLES) for _ in range(int(rng.integers(2, 4))))


def random_adjective(rng: np.random.Generator) -> str:
    """An adjective that changes nothing, now and then two, or a stressed one."""
    word = invent_word(rng) if rng.random() < INVENTED_SHARE else choose(rng, MOODS)
    chance = rng.random()
    if chance < 0.12:
        return f"{choose(rng, INTENSE)} {word}"
    if chance < 0.25:
        return f"{choose(rng, MOODS)}{choose(rng, (' ', ', ', ' and '))}{word}"
    return word


def random_ending(rng: np.random.Generator) -> str:
    """What comes after the thing."""
    chance = rng.random()
    if chance < 0.45:
        return choose(rng, ENDINGS)
    if chance < 0.6:
        parts = [
            choose(rng, QUALITY),
            choose(rng, ("quality picture", "high resolution", "detailed", "sharp", "", "")),
            choose(rng, QUALITY),
        ]
        return ", ".join(part for part in parts[: int(rng.integers(1, 4))] if part)
    if chance < 0.7:
        return " ".join(invent_word(rng) for _ in range(int(rng.integers(1, 3))))
    receiver = invent_word(rng) if rng.random() < INVENTED_SHARE else choose(rng, RECEIVERS)
    kind = (
        f"{choose(rng, RECEIVERS) if rng.random() < 0.5 else random_adjective(rng)} "
        if rng.random() < 0.4
        else ""
    )
    whose = choose(rng, ("my", "the", "our", "a", "his", "her"))
    purpose = choose(rng, ("for", "for", "for", "to give to", "to show", "on"))
    return f"{purpose} {whose} {kind}{receiver}"


def random_request(rng: np.random.Generator) -> str:
    """A request before the thing."""
    praise = f"{random_adjective(rng)} " if rng.random() < 0.2 else ""
    lead = choose(rng, ("a ", "an ", "", "", "the ", "some "))
    kind = f"{lead}{praise}{choose(rng, KINDS)} {choose(rng, PREPOSITIONS)}"
    chance = rng.random()
    if chance < 0.35:
        return kind
    verb = choose(rng, VERBS) + choose(rng, ("", "", " me", " us", " for me"))
    ask = choose(rng, REQUESTS)
    if ask.split()[0] in ("can", "could", "would", "will", "may") and ask.endswith("you"):
        ask = f"{ask} {choose(rng, ('', 'please '))}{verb}"
    words = verb if chance < 0.65 else ask
    if rng.random() < 0.2:
        words = f"{choose(rng, POLITE)}{choose(rng, (' ', ', '))}{words}"
    return f"{words} {kind}" if rng.random() < 0.25 else words


def add_typo(words: str, rng: np.random.Generator) -> str:
    """The words with one typing error in a word of four letters or more.

    Two letters swapped, one left out, doubled, or replaced by another.
    """
    spots = [match.span() for match in re.finditer(r"[a-z]{4,}", words)]
    if not spots:
        return words
    start, end = spots[int(rng.integers(len(spots)))]
    at = int(rng.integers(start + 1, end - 1))
    kind = int(rng.integers(4))
    if kind == 0:
        return words[:at] + words[at + 1] + words[at] + words[at + 2 :]
    if kind == 1:
        return words[:at] + words[at + 1 :]
    return (
        words[:at]
        + (words[at] if kind == 2 else chr(97 + int(rng.integers(26))))
        + words[at + (kind == 3) :]
    )


def describe_thing(
    thing: Thing, name: str, rng: np.random.Generator, *, sized: bool, moods: float
) -> str:
    """A thing with adjectives that change nothing, and some article.

    "my cute small dog with a crown on".

    Args:
        name: its colour and name, "red apple".
        moods: how likely it has such an adjective.
    """
    before = f"{random_adjective(rng)} " if rng.random() < moods else ""
    if thing.count > 1:
        number = NUMBERS[thing.count] if rng.random() < 0.6 else str(thing.count)
        lead = choose(rng, ("", "", "", "my ", "the ", "these "))
        return f"{lead}{number} {before}{plural(name)}"
    size = f"{thing.size} " if sized and thing.size == "small" else ""
    words = f"{size}{before}{name}" if rng.random() < 0.3 else f"{before}{size}{name}"
    if thing.wears == "space suit" and rng.random() < 0.5:
        words = f"{words} astronaut"
    chance = rng.random()
    words = (
        words
        if chance < 0.35
        else article(words)
        if chance < 0.75
        else f"{choose(rng, DETERMINERS)} {words}"
    )
    if thing.wears == "space suit":
        return words if words.endswith("astronaut") else f"{words} in a space suit"
    if thing.wears:
        worn = f"{random_adjective(rng)} {thing.wears}" if rng.random() < moods / 3 else thing.wears
        words += " " + choose(rng, WEARING).format(
            worn if thing.wears in EYEWEAR else article(worn)
        )
    return words


def paraphrase(truth: Truth, rng: np.random.Generator, names: Sequence[str] = ()) -> Paraphrase:
    """A scene as somebody might ask for it, and plainly.

    Args:
        names: what its things are called, with their colours; by default as the sets call them.
    """
    single = len(truth.things) == 1
    first, short = truth.things[0], bool(rng.random() < 0.7)
    called = names or [coloured_name(thing, short) for thing in truth.things]
    parts = [
        describe_thing(thing, name, rng, sized=single, moods=0.45 if single else 0.3)
        for thing, name in zip(truth.things, called, strict=True)
    ]
    text = f" {truth.relation} ".join(parts)
    plain = f" {truth.relation} ".join(
        noun_phrase(thing, short, sized=single) for thing in truth.things
    )
    if single and first.size != "large" and first.count == 1:
        text, plain = (f"{words} {place_phrase(first)}" for words in (text, plain))
    if first.mirrored:
        text, plain = f"{text} {choose(rng, MIRROR_PHRASES)}", f"{plain}, mirrored"
    style = f"in {truth.style} style" if truth.style and rng.random() < 0.75 else ""
    ground = ground_phrase(truth.ground)
    if rng.random() < 0.55:
        text = f"{random_request(rng)} {text}"
    tail = [style, ground if rng.random() < 0.7 else ground.replace(" ground", " background")]
    tail.insert(int(rng.integers(3)), random_ending(rng) if rng.random() < 0.5 else "")
    for part in tail:
        text += (
            "" if not part else part if part[0] in "!.?" else f"{choose(rng, (', ', ' '))}{part}"
        )
    if rng.random() < TYPO_SHARE:
        text = add_typo(text, rng)
    chance = rng.random()
    text = text if chance < 0.8 else text.capitalize() if chance < 0.93 else text.upper()
    return Paraphrase(", ".join(part for part in (plain, style, ground) if part), text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=40)
    scenes = training_world()
    for index in range(parser.parse_args().count):
        truth = scenes.truth(np.random.default_rng(index))
        if truth:
            both = paraphrase(truth, np.random.default_rng((1, index)))
            print(f"{both.plain:70}  {both.text}")
