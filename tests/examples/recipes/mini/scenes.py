"""Scenes for tests of the recipe: one of each kind."""

from examples.recipes.mini.art import Subject
from examples.recipes.mini.backgrounds import Ground
from examples.recipes.mini.scene import Thing, Truth


def make_subject(name, codepoints="1f408", keywords=("pet",), kind="animal"):
    return Subject(0, codepoints, name, keywords, kind)


def make_truths():
    """One of each kind of scene."""

    clear, cat, dog = (
        Ground("transparent"),
        make_subject("cat face"),
        make_subject("dog face", "1f436"),
    )
    return {
        "plain": Truth("flat", (Thing(cat),), "", clear),
        "colour": Truth("", (Thing(cat, colour="purple"),), "", clear),
        "count": Truth("noto", (Thing(cat, count=3, size="medium"),), "", clear),
        "small": Truth(
            "noto", (Thing(cat, size="small", x=0.2, y=0.2),), "", Ground("plain", "", ("red",))
        ),
        "crown": Truth("twemoji", (Thing(cat, wears="crown"),), "", clear),
        "suit": Truth("twemoji", (Thing(cat, wears="space suit"),), "", clear),
        "pair": Truth(
            "fluent", (Thing(cat), Thing(dog)), "to the left of", Ground("place", "beach")
        ),
        "mirrored": Truth("fluent", (Thing(cat, mirrored=True),), "", clear),
    }
