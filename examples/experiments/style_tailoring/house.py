"""The house style, Fluent high contrast: black lines, clear inside. sticker-mini was shown none.

python -m examples.experiments.style_tailoring.house FOLDER           what is trained on
python -m examples.experiments.style_tailoring.house FOLDER --inks    in a style of two inks instead

100 things are trained on; others are what distances are measured to. What the evaluation asks for
(prompts.txt) is among the latter.
"""

import argparse
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image

from examples.experiments.style_tailoring.tables import write_table
from examples.experiments.style_tailoring.two_inks import two_inks
from examples.recipes.mini.art import Subject, load_subjects, read_svg, render
from examples.recipes.mini.scene import stable_hash
from examples.recipes.mini.settings import PIXELS
from stickerforge.data.english import with_article

STYLE = "high-contrast"
KINDS = ("animal", "plant", "food", "transport", "wear", "thing", "sky", "person", "party")
TRAINED = 100
MARGIN = 6  # pixels around a drawing, as sticker-mini leaves
# Families of the evaluation prompts: {name: (first, end)} in their order.
FAMILIES = {"single": (0, 18), "pair": (18, 34), "worn": (34, 42), "number": (42, 50)}
PROMPTS = Path(__file__).parent / "prompts.txt"


@dataclass(frozen=True)
class HouseThing:
    """One thing that the house style draws.

    Args:
        name: as people say it, "dog" for "dog face".
    """

    subject: Subject
    name: str

    @property
    def caption(self) -> str:
        """Without a word about the style."""
        return with_article(self.name)

    def picture(self, style: str = STYLE) -> Image.Image:
        """Its drawing in a style, RGBA of `PIXELS`."""
        svg = read_svg(style, self.subject.codepoints, self.subject.name)
        assert svg is not None, self.subject.name
        side = PIXELS - 2 * MARGIN
        drawing = Image.frombytes("RGBa", (side, side), render(svg, side).tobytes())
        page = Image.new("RGBa", (PIXELS, PIXELS))
        page.paste(drawing, (MARGIN, MARGIN))
        return page.convert("RGBA")


def evaluation_prompts() -> list[str]:
    """What the arms are asked for."""
    lines = PROMPTS.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@cache
def house_things() -> tuple[HouseThing, ...]:
    """All things of kinds that people ask stickers of, in an order that means nothing."""
    things = [
        HouseThing(subject, spoken_name(subject))
        for subject in load_subjects(3)[0]
        if subject.kind in KINDS
    ]
    return tuple(sorted(things, key=lambda each: stable_hash(f"house|{each.subject.name}")))


def spoken_name(subject: Subject) -> str:
    """ "dog" for "dog face", which people do not say."""
    return subject.name.removesuffix(" face") if subject.kind == "animal" else subject.name


def is_asked_for(thing: HouseThing) -> bool:
    """Whether an evaluation prompt names it, or what is called like it."""
    name = thing.name.lower()
    text = " | ".join(evaluation_prompts()).lower()
    return bool(re.search(rf"\b{re.escape(name)}(s|es)?\b", text)) or any(
        re.search(rf"\b{re.escape(word)}\b", name) for word in singulars()
    )


@cache
def singulars() -> frozenset[str]:
    """The one-word things of the prompts."""
    words = re.findall(r"[a-z]+", " ".join(evaluation_prompts()).lower())
    small = {
        "a",
        "an",
        "and",
        "the",
        "of",
        "in",
        "on",
        "its",
        "with",
        "next",
        "to",
        "front",
        "head",
    }
    small |= {"holding", "wearing", "inside", "behind", "two", "three", "four", "five", "space"}
    return frozenset(re.sub(r"(ie|e)?s$", "", word) for word in words if word not in small) | {
        word for word in words if word not in small
    }


def house_split() -> tuple[list[HouseThing], list[HouseThing]]:
    """(what is trained on, what distances are measured to)."""
    asked = [thing for thing in house_things() if is_asked_for(thing)]
    free = [thing for thing in house_things() if not is_asked_for(thing)]
    return free[:TRAINED], free[TRAINED:] + asked


def write_house(folder: Path, *, inks: bool = False) -> Path:
    """The table of the pictures that are trained on.

    Args:
        inks: in the style of two inks instead.
    """
    things = house_split()[0]
    pictures = [
        (two_inks(thing.picture("flat")) if inks else thing.picture(), thing.caption)
        for thing in things
    ]
    return write_table(folder, "metadata.jsonl", pictures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--inks", action="store_true")
    args = parser.parse_args()
    write_house(args.folder, inks=args.inks)
