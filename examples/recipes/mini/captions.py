"""What a scene of StickerWorld shows, in four registers.

terse          "cat astronaut", "3 red apples"
plain          "three red apples, flat style"
comprehensive  "two red apples to the left of a cat wearing a crown, flat style, on a pale blue
               ground"
long           six to ten sentences, every one of them true of the picture
"""

import re
from typing import Literal

import numpy as np

from examples.recipes.mini.backgrounds import Ground, ground_phrase
from examples.recipes.mini.scene import Thing, Truth
from examples.recipes.mini.vocabulary import EYEWEAR, short_name

Register = Literal["terse", "plain", "comprehensive", "long"]
REGISTERS: tuple[Register, ...] = ("terse", "plain", "comprehensive", "long")
NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}
UNCHANGED = (
    "glasses",
    "sunglasses",
    "goggles",
    "jeans",
    "gloves",
    "socks",
    "books",
    "grapes",
    "cherries",
    "peanuts",
    "spaghetti",
    "sushi",
)
IRREGULAR = {
    "mouse": "mice",
    "fish": "fish",
    "sheep": "sheep",
    "leaf": "leaves",
    "wolf": "wolves",
    "knife": "knives",
    "tomato": "tomatoes",
    "potato": "potatoes",
    "mosquito": "mosquitoes",
}
CONSONANT_SOUND = ("uni", "ewe", "one", "euro", "ufo")  # a unicorn
COLOURS = (
    "red",
    "green",
    "blue",
    "yellow",
    "white",
    "black",
    "orange",
    "brown",
    "purple",
    "pink",
    "grey",
)
STYLE_LOOKS = {
    "noto": "warm colours and gentle gradients",
    "twemoji": "a few bold flat colours",
    "fluent": "soft rounded shading",
    "flat": "flat shapes without shading",
}


def plural(name: str) -> str:
    """More than one of them: the last word changes, of "piece of cake" the first."""
    if name in UNCHANGED or name.endswith(("glasses", "fries", "beans")):
        return name
    head, link, rest = re.fullmatch(r"(.*?)(?:( of | with | on )(.*))?", name).groups(default="")
    start, _, last = head.rpartition(" ")
    if last in IRREGULAR:
        changed = IRREGULAR[last]
    elif last.endswith(("s", "x", "z", "ch", "sh")):
        changed = last + "es"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        changed = last[:-1] + "ies"
    else:
        changed = last + "s"
    return f"{start} {changed}".strip() + link + rest


def article(words: str) -> str:
    """The words with a or an; without, where they are many by nature."""
    if words.split(" ")[-1] in UNCHANGED:
        return words
    vowel = words[0].lower() in "aeiou" and not words.lower().startswith(CONSONANT_SOUND)
    return f"{'an' if vowel else 'a'} {words}"


def coloured_name(thing: "Thing", short: bool) -> str:
    """Its colour and name."""
    name = short_name(thing.subject.name) if short else thing.subject.name
    if thing.colour:
        name = re.sub(rf"^((light|dark|pale) )?({'|'.join(COLOURS)}) ", "", name)
    return f"{thing.colour} {name}".strip()


def noun_phrase(thing: "Thing", short: bool = True, sized: bool = False) -> str:
    """ "three red apples", "a small cat wearing a crown"."""
    name = coloured_name(thing, short)
    if thing.count > 1:
        return f"{NUMBERS[thing.count]} {plural(name)}"
    words = article(f"{thing.size} {name}" if sized and thing.size == "small" else name)
    if thing.wears == "space suit":
        return f"{words} in a space suit"
    return (
        f"{words} wearing {thing.wears if thing.wears in EYEWEAR else article(thing.wears)}"
        if thing.wears
        else words
    )


def place_phrase(thing: "Thing") -> str:
    """Where the centre of a thing lies: "at the top left", "in the middle"."""
    along = "top" if thing.y < 0.4 else "bottom" if thing.y > 0.6 else ""
    across = "left" if thing.x < 0.4 else "right" if thing.x > 0.6 else ""
    return (
        f"at the {along} {across}".replace("  ", " ").strip()
        if along or across
        else "in the middle"
    )


def relation_phrase(truth: "Truth", short: bool, sized: bool = False) -> str:
    """All things and how they stand to each other."""
    nouns = [noun_phrase(thing, short, sized) for thing in truth.things]
    if len(nouns) == 1:
        return nouns[0]
    return f"{nouns[0]} {truth.relation} {nouns[1]}"


def caption(truth: "Truth", register: Register, rng: np.random.Generator) -> str:
    """One way to say what a scene shows."""
    if register == "terse":
        return terse_caption(truth)
    if register == "plain":
        return f"{relation_phrase(truth, rng.random() < 0.5)}, {truth.style} style"
    if register == "comprehensive":
        first, single = truth.things[0], len(truth.things) == 1
        placed = (
            f" {place_phrase(first)}"
            if single and first.size != "large" and first.count == 1
            else ""
        )
        parts = [
            relation_phrase(truth, rng.random() < 0.5, sized=single) + placed,
            f"{truth.style} style",
            ground_phrase(truth.ground),
        ]
        return ", ".join(part for part in parts if part)
    return long_caption(truth, rng)


def terse_caption(truth: "Truth") -> str:
    """As people type."""
    thing = truth.things[0]
    if thing.wears == "space suit":
        return f"{coloured_name(thing, True)} astronaut"
    names = [
        f"{t.count} {plural(coloured_name(t, True))}" if t.count > 1 else coloured_name(t, True)
        for t in truth.things
    ]
    dressed = f" {thing.wears}" if thing.wears else ""
    return ", ".join(names) + dressed


def ground_sentence(ground: Ground) -> str:
    """What is behind everything."""
    if ground.kind == "transparent":
        return "There is nothing behind it: the background is fully transparent."
    return f"The picture is set {ground_phrase(ground)}, which fills the whole square behind it."


def long_caption(truth: "Truth", rng: np.random.Generator) -> str:
    """Six to ten facts, most of them in sentences of their own, in an order that varies."""
    first = truth.things[0]
    facts = [
        f"The drawing is in {truth.style} style, with {STYLE_LOOKS[truth.style]}.",
        ground_sentence(truth.ground),
    ]
    if truth.relation:
        names = [short_name(thing.subject.name) for thing in truth.things]
        facts.append(
            f"As for their arrangement, the {names[0]} is {truth.relation} the {names[1]}."
        )
    for number, thing in enumerate(truth.things):
        phrase = noun_phrase(thing, short=False)
        lead = "It shows" if number == 0 else "There is also"
        facts.append(f"{lead} {phrase}.")
        facts.append(size_sentence(thing, truth, number))
        if thing.colour:
            facts.append(
                f"The {coloured_name(thing, True)} is not in its usual colour but {thing.colour}."
            )
        words = [word for word in thing.subject.keywords if word not in thing.subject.name][:4]
        if len(words) > 1:
            facts.append(
                f"One may think of {', '.join(words[:-1])} or {words[-1]} "
                f"when looking at the {short_name(thing.subject.name)}."
            )
        if thing.wears:
            worn = (
                "a white space suit, its head seen in the helmet"
                if thing.wears == "space suit"
                else f"the {thing.wears} well in place"
            )
            facts.append(f"The {short_name(thing.subject.name)} has {worn}.")
    total = sum(thing.count + bool(thing.wears) for thing in truth.things)
    number = NUMBERS.get(total, str(total))
    things = "thing is" if total == 1 else "things are"
    facts.append(f"Altogether {number} {things} drawn, and nothing else besides.")
    if first.count > 1:
        facts.append(f"All {NUMBERS[first.count]} look alike and have the same size.")
    if len(facts) < 6:
        facts.append(
            f"Nothing is written in it, and the {short_name(first.subject.name)} "
            "is not cut off at any border."
        )
    facts = facts[:10]
    order = rng.permutation(len(facts)) if rng.random() < 0.3 else np.arange(len(facts))
    return " ".join(facts[number] for number in order)


def size_sentence(thing: "Thing", truth: "Truth", number: int) -> str:
    """How large it is drawn, and where; measured on its boxes once they are known."""
    start = sum(other.count for other in truth.things[:number])
    boxes = truth.boxes[start : start + thing.count]
    name = short_name(thing.subject.name)
    if thing.count > 1:
        return f"The {plural(name)} are spread evenly over the picture."
    if not boxes:
        return f"It is {thing.size}."
    left, top, right, bottom = boxes[0]
    wide, high = round(100 * (right - left)), round(100 * (bottom - top))
    return (
        f"The {name} lies {place_phrase(thing)}, about {wide} percent as wide "
        f"and {high} percent as high as the picture."
    )
