"""What a long caption says of a scene, as sentences that have no order yet."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from examples.experiments.longalign.nouns import Noun, can_be_named, nouns_of
from examples.recipes.mini.backgrounds import ground_phrase
from examples.recipes.mini.captions import NUMBERS, STYLE_LOOKS, place_phrase
from examples.recipes.mini.scene import Truth
from examples.recipes.mini.vocabulary import HATS

STYLE_SHARE, CLEAR_SHARE = 0.85, 0.6
OPENINGS = (
    "A sticker of {}.",
    "The sticker shows {}.",
    "Please draw {}.",
    "I would like a sticker of {}.",
    "This is a picture of {}.",
    "What I have in mind is {}.",
    "It is a drawing of {}.",
    "Draw {} for me, please.",
    "I am looking for a picture of {}.",
    "In the picture you see {}.",
)
LATE_OPENINGS = (
    "What it shows is {}.",
    "So please draw {}.",
    "The picture shows {}.",
    "What I would like to see is {}.",
    "Now to the picture itself: it shows {}.",
    "In it you see {}.",
    "The thing to be drawn is this: {}.",
    "What we settled on is {}.",
)
# Of training captions of the second design.
MORE_OPENINGS = (
    "It should be {}.",
    "My wish is {}.",
    "We want {}.",
    "We would love to have {} on it.",
    "How about {}?",
    "The idea is {}.",
    "Something like this: {}.",
    "Show {}.",
    "Make it {}.",
    "Could you make {}?",
    "On the sticker there should be {}.",
    "In short, {}.",
    "Everybody was in favour of {}.",
    "All that we need is {}.",
    "The subject is {}.",
)
INVERSE = {
    "to the left of": "to the right of",
    "to the right of": "to the left of",
    "above": "below",
    "below": "above",
    "behind": "in front of",
    "in front of": "behind",
}


@dataclass
class Outline:
    """The sentences of a caption before they are put in order.

    Args:
        naming: sentences that name the things, in this order.
        free: those that may stand before a thing is named, too.
        behind: those about what is named.
        extra: those that say the same again.
    """

    facts: list[str] = field(default_factory=lambda: ["thing"])
    naming: list[str] = field(default_factory=list)
    free: list[str] = field(default_factory=list)
    behind: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)


def choose(rng: np.random.Generator, words: Sequence[str]) -> str:
    """One of them."""
    return words[int(rng.integers(len(words)))]


def sentence(words: str) -> str:
    """Words as a sentence."""
    return f"{words[0].upper()}{words[1:]}."


def can_be_told(truth: Truth) -> bool:
    """Whether sentences can be made about all things of a scene."""
    return all(can_be_named(thing) for thing in truth.things)


def outline(
    truth: Truth, late: bool, rng: np.random.Generator, more_openings: tuple[str, ...] = ()
) -> Outline:
    """What a caption says of a scene; everything that a picture is not expected to have is said."""
    result = Outline()
    nouns = nouns_of(truth.things, bool(rng.random() < 0.7))
    coloured, dressed = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
    phrases = [noun.indefinite(coloured=coloured, dressed=dressed) for noun in nouns]
    opening = choose(rng, (LATE_OPENINGS if late else OPENINGS) + more_openings)
    if len(nouns) == 1:
        result.naming.append(opening.format(phrases[0]))
        tell_place(truth, nouns[0], result, rng)
    else:
        tell_relation(truth, nouns, phrases, opening, result, rng)
    for noun in nouns:
        tell_looks(noun, coloured, dressed, result, rng)
    tell_style(truth, result, rng)
    tell_ground(truth, result, rng)
    result.extra.append(
        choose(rng, ("Nothing else is in the picture.", "Leave everything else out."))
    )
    return result


def tell_relation(
    truth: Truth,
    nouns: Sequence[Noun],
    phrases: Sequence[str],
    opening: str,
    result: Outline,
    rng: np.random.Generator,
) -> None:
    """How two things stand to each other, in the first sentence or in the second."""
    first, second = nouns
    result.facts += ["second thing", "relation"]
    if rng.random() < 0.5:
        result.naming.append(opening.format(f"{phrases[0]} {truth.relation} {phrases[1]}"))
    elif rng.random() < 0.5:
        result.naming.append(opening.format(phrases[0]))
        result.naming.append(
            sentence(f"{first.definite} {first.verb} {truth.relation} {phrases[1]}")
        )
    else:
        result.naming.append(opening.format(f"{phrases[0]} and {phrases[1]}"))
        result.naming.append(
            sentence(f"{first.definite} {first.verb} {truth.relation} {second.definite}")
        )
    if truth.relation in INVERSE:
        inverse = f"{second.definite} {second.verb} {INVERSE[truth.relation]} {first.definite}"
        result.extra.append(f"In other words, {inverse}.")


def tell_place(truth: Truth, noun: Noun, result: Outline, rng: np.random.Generator) -> None:
    """Where a single thing lies and how large it is, if that is not as usual; its number."""
    thing = noun.thing
    subject = sentence(noun.definite)[:-1]
    if thing.count > 1:
        result.facts.append("number")
        number = NUMBERS[thing.count]
        result.extra.append(f"There are {number} of them, no more and no fewer.")
        result.extra.append(f"{subject} all look alike.")
    elif thing.size != "large":
        result.facts.append("place")
        size = {"small": "small", "medium": "of middling size"}[thing.size]
        lies = {"is": "lies", "are": "lie"}[noun.verb]
        result.behind.append(f"{subject} {noun.verb} {size} and {lies} {place_phrase(thing)}.")
    elif not thing.wears:
        fills = {"is": "fills", "are": "fill"}[noun.verb]
        result.extra.append(f"{subject} {fills} most of the picture.")
    if thing.mirrored:
        result.facts.append("mirrored")
        mirrored = ("mirrored", "turned the other way, as in a mirror", "flipped to the other side")
        result.behind.append(f"{subject} {noun.verb} {choose(rng, mirrored)}.")


def tell_looks(
    noun: Noun, coloured: bool, dressed: bool, result: Outline, rng: np.random.Generator
) -> None:
    """Its colour and what it wears, in sentences of their own where its phrase leaves them out."""
    subject = sentence(noun.definite)[:-1]
    if noun.thing.colour:
        result.facts.append("colour")
        colour = f"{subject} {noun.verb} {noun.thing.colour}"
        ways = [f"{colour}.", f"{colour}, which is not the usual colour."]
        (result.extra if coloured else result.behind).append(choose(rng, ways))
    if noun.thing.wears:
        result.facts.append("worn")
        ways = [f"{subject} wears {noun.worn}.", f"{subject} is {noun.dress}."]
        ways += [f"{subject} has {noun.worn} on the head."] if noun.thing.wears in HATS else []
        (result.extra if dressed else result.behind).append(choose(rng, ways))


def tell_style(truth: Truth, result: Outline, rng: np.random.Generator) -> None:
    """The style, in most captions, with or without how it looks."""
    if rng.random() < STYLE_SHARE or len(result.facts) == 1:
        result.facts.append("style")
        looks = STYLE_LOOKS[truth.style]
        ways = (
            f"It is drawn in {truth.style} style.",
            f"The drawing is in {truth.style} style, with {looks}.",
            f"All of it is in {truth.style} style, that is, with {looks}.",
            f"Use the {truth.style} style for it.",
            f"As for the style, it should be {truth.style} style: {looks}.",
        )
        result.free.append(choose(rng, ways))


def tell_ground(truth: Truth, result: Outline, rng: np.random.Generator) -> None:
    """What is behind everything; that there is nothing, in most captions."""
    if truth.ground.kind != "transparent":
        result.facts.append("ground")
        phrase = ground_phrase(truth.ground).replace(" a orange", " an orange")
        ways = (
            f"The picture is set {phrase}.",
            f"Everything is {phrase}, which fills the whole square.",
            f"The scene is {phrase}.",
        )
        result.free.append(choose(rng, ways))
    elif rng.random() < CLEAR_SHARE:
        result.facts.append("ground")
        clear = (
            "The background is transparent.",
            "Nothing is drawn on the background, which is transparent.",
            "Leave the background transparent.",
            "It needs no background.",
        )
        result.free.append(choose(rng, clear))
