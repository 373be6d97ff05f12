"""Nouns of StickerWorld's things, so that whole sentences can be made with them."""

import re
from dataclasses import dataclass

from examples.recipes.mini.captions import NUMBERS, UNCHANGED, article, coloured_name, plural
from examples.recipes.mini.scene import Thing
from examples.recipes.mini.vocabulary import EYEWEAR, short_name

# Their names are no nouns, or are what no sentence can be made with.
UNNAMED = (
    "two hearts",
    "hundred points",
    "ZZZ",
    "high voltage",
    "locked",
    "star-struck",
    "rolling on the floor laughing",
    "people hugging",
    "1st place medal",
    "flexed biceps",
)
# Several by nature: "the pancakes are", "pancakes" without an article.
SEVERAL = (
    *UNCHANGED,
    "blueberries",
    "clapping hands",
    "clinking beer mugs",
    "clinking glasses",
    "crossed fingers",
    "eyes",
    "fireworks",
    "folded hands",
    "french fries",
    "heart hands",
    "musical notes",
    "pancakes",
    "paw prints",
    "raising hands",
    "scissors",
    "sparkles",
)
# Without an article, but one: "broccoli is".
UNCOUNTED = (
    "bacon",
    "baguette bread",
    "bread",
    "broccoli",
    "cooked rice",
    "corn",
    "curry rice",
    "ear of corn",
    "garlic",
    "luggage",
    "popcorn",
    "spaghetti",
    "sushi",
)
# Plurals that the recipe does not know.
PLURALS = {
    "snowman": "snowmen",
    "deer": "deer",
    "moose": "moose",
    "bison": "bison",
    "volcano": "volcanoes",
    "jellyfish": "jellyfish",
}
UNCHANGEABLE = re.compile(r"ing$|without| behind |thumbs|ing (up|right|Americas)|tilted|money with")


def can_be_named(thing: Thing) -> bool:
    """Whether its name is a noun, and of several, has a plural."""
    name = thing.subject.name
    if name in UNNAMED:
        return False
    return thing.count == 1 or not (
        name in SEVERAL or name in UNCOUNTED or UNCHANGEABLE.search(name)
    )


@dataclass(frozen=True)
class Noun:
    """How a thing is called in one caption.

    Args:
        name: without its colour, of one.
    """

    thing: Thing
    name: str

    @property
    def many(self) -> bool:
        """Whether its verb is "are"."""
        own = self.name in SEVERAL and self.name not in UNCOUNTED
        return self.thing.count > 1 or own

    @property
    def verb(self) -> str:
        """ "is" or "are"."""
        return "are" if self.many else "is"

    @property
    def pronoun(self) -> str:
        """ "it" or "they"."""
        return "they" if self.many else "it"

    @property
    def definite(self) -> str:
        """ "the apples"."""
        return f"the {self.several if self.thing.count > 1 else self.name}"

    @property
    def several(self) -> str:
        """ "apples"."""
        return PLURALS.get(self.name) or plural(self.name)

    def indefinite(self, *, coloured: bool = True, dressed: bool = True) -> str:
        """ "two red apples", "a small cat wearing a crown"."""
        thing = self.thing
        colour = f"{thing.colour} " if coloured and thing.colour else ""
        if thing.count > 1:
            return f"{NUMBERS[thing.count]} {colour}{self.several}"
        words = f"{colour}{self.name}"
        phrase = words if self.name in (*SEVERAL, *UNCOUNTED) else article(words)
        return f"{phrase} {self.dress}" if dressed and thing.wears else phrase

    @property
    def dress(self) -> str:
        """ "wearing a crown", "in a space suit"."""
        worn = self.thing.wears
        return "in a space suit" if worn == "space suit" else f"wearing {self.worn}"

    @property
    def worn(self) -> str:
        """ "a crown", "glasses", "a white space suit"."""
        worn = self.thing.wears
        if worn == "space suit":
            return "a white space suit"
        return worn if worn in EYEWEAR else article(short_name(worn))


def nouns_of(things: tuple[Thing, ...], short: bool) -> list[Noun]:
    """How the things of a scene are called; by their full names where short ones are the same."""
    for is_short in (short, False):
        names = [
            coloured_name(thing, is_short).removeprefix(f"{thing.colour} " if thing.colour else "")
            for thing in things
        ]
        if len(set(names)) == len(names):
            break
    return [Noun(thing, name) for thing, name in zip(things, names, strict=True)]
