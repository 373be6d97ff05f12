"""Long captions of StickerWorld's scenes: whole sentences, true of the picture, among others.

A caption says two to six facts (things, colours, numbers, relations, what is worn, style, ground)
in an order that varies; between them stand remarks that say nothing about the picture, so that its
length does not follow from what it says. In half of the captions the thing is named behind the 75th
token, where CLIP's window ends. Tokens are those of sticker-mini, without start and end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from transformers import CLIPTokenizer

from examples.experiments.longalign.nouns import Noun, can_be_named, nouns_of
from examples.experiments.longalign.remarks import Part, fill_template, remark_templates
from examples.recipes.mini.backgrounds import ground_phrase
from examples.recipes.mini.captions import NUMBERS, STYLE_LOOKS, place_phrase
from examples.recipes.mini.scene import Truth
from examples.recipes.mini.settings import MODEL
from examples.recipes.mini.vocabulary import HATS

WINDOW = 75  # tokens that sticker-mini's text encoder reads of a prompt
SHORTEST, LONGEST = 80, 240
# A late thing needs so many tokens behind the window.
ROOM_FOR_LATE = 30
ATTEMPTS = 60
STYLE_SHARE, CLEAR_SHARE, EXTRA_SHARE, LEAD_SHARE = 0.85, 0.6, 0.25, 0.4
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
INVERSE = {
    "to the left of": "to the right of",
    "to the right of": "to the left of",
    "above": "below",
    "below": "above",
    "behind": "in front of",
    "in front of": "behind",
}


@dataclass(frozen=True)
class LongCaption:
    """A caption of a scene.

    Args:
        tokens: of sticker-mini.
        named_at: tokens before the sentence that names the first thing.
        facts: what kinds of facts it says: "thing", "colour", "style" …
    """

    text: str
    tokens: int
    named_at: int
    facts: tuple[str, ...]


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


@cache
def mini_tokenizer() -> CLIPTokenizer:
    """The tokenizer of sticker-mini."""
    return CLIPTokenizer.from_pretrained(MODEL / "tokenizer", model_max_length=10**6)


@cache
def count_tokens(text: str) -> int:
    """How many tokens sticker-mini makes of a text."""
    return len(mini_tokenizer()(text, add_special_tokens=False).input_ids)


def choose(rng: np.random.Generator, words: Sequence[str]) -> str:
    """One of them."""
    return words[int(rng.integers(len(words)))]


def sentence(words: str) -> str:
    """Words as a sentence."""
    return f"{words[0].upper()}{words[1:]}."


def can_be_told(truth: Truth) -> bool:
    """Whether sentences can be made about all things of a scene."""
    return all(can_be_named(thing) for thing in truth.things)


def outline(truth: Truth, late: bool, rng: np.random.Generator) -> Outline:
    """What a caption says of a scene; everything that a picture is not expected to have is said."""
    result = Outline()
    nouns = nouns_of(truth.things, bool(rng.random() < 0.7))
    coloured, dressed = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
    phrases = [noun.indefinite(coloured=coloured, dressed=dressed) for noun in nouns]
    opening = choose(rng, LATE_OPENINGS if late else OPENINGS)
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
        phrase = ground_phrase(truth.ground)
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


class Writer:
    """Puts the sentences of one caption in order, up to a number of tokens."""

    def __init__(self, result: Outline, part: Part, rng: np.random.Generator) -> None:
        self.outline, self.rng = result, rng
        self.remarks = self.shuffle(remark_templates(part))

    def shuffle(self, texts: Sequence[str]) -> list[str]:
        """The texts in another order."""
        return [texts[number] for number in self.rng.permutation(len(texts))]

    def remark(self, room: float = np.inf) -> str:
        """A remark that is not there yet, of at most `room` tokens; "" where there is none."""
        for template in self.remarks:
            text = fill_template(template, self.rng)
            if count_tokens(text) <= room:
                self.remarks.remove(template)
                return text
        return ""

    def lead(self, late: bool) -> list[str]:
        """The sentences before a thing is named: more than a window, one or two, or none."""
        if not late:
            number = int(self.rng.integers(1, 3)) if self.rng.random() < LEAD_SHARE else 0
            return [self.remark() for _ in range(number)]
        free = self.outline.free
        result = [free.pop() for _ in range(len(free)) if self.rng.random() < 0.4]
        while total_tokens(result) < WINDOW:
            result.append(self.remark())
        return self.shuffle(result)

    def write(self, target: int, late: bool) -> LongCaption:
        """The caption, of `target` tokens or a few less where that can be."""
        lead = self.lead(late)
        rest = self.shuffle([*self.outline.free, *self.outline.behind])
        extra, naming = self.shuffle(self.outline.extra), self.outline.naming
        room = target - total_tokens([*lead, *naming, *rest])
        while room > 0:
            if extra and self.rng.random() < EXTRA_SHARE and count_tokens(extra[-1]) <= room:
                text = extra.pop()
            else:
                text = self.remark(room)
            if not text:
                break
            rest.insert(int(self.rng.integers(len(rest) + 1)), text)
            room -= count_tokens(text)
        text = " ".join([*lead, *naming, *rest])
        return LongCaption(text, count_tokens(text), total_tokens(lead), tuple(self.outline.facts))


def total_tokens(texts: Sequence[str]) -> int:
    """Tokens of all of them together."""
    return sum(count_tokens(text) for text in texts)


def long_caption(
    truth: Truth,
    rng: np.random.Generator,
    *,
    part: Part = "training",
    tokens: tuple[int, int] = (SHORTEST, LONGEST),
) -> LongCaption:
    """A caption of at least and at most so many tokens, all lengths equally likely.

    Args:
        part: whose remarks it is made of.

    Raises:
        RuntimeError: what is to be said does not fit.
    """
    shortest, longest = tokens
    for _ in range(ATTEMPTS):
        target = int(rng.integers(shortest, longest + 1))
        late = bool(target >= WINDOW + ROOM_FOR_LATE and rng.random() < 0.6)
        result = Writer(outline(truth, late, rng), part, rng).write(target, late)
        if shortest <= result.tokens <= longest:
            return result
    raise RuntimeError(f"no caption of {shortest} to {longest} tokens in {ATTEMPTS} attempts")
