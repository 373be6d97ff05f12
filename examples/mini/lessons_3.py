"""What sticker-mini 3 learns from: more things, told in the voices of people and by the words that they use.

python examples/mini/lessons_3.py [--count 24]     a sheet of samples, each told five times: runs/lessons_3.png

Some words are answered by several drawings ("cat" by a face and by a whole cat), so that seeds differ. Where a thing is mirrored, small or
somewhere else, the caption says so: places that were not told tore subjects apart.
"""

import argparse
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from art import Subject, kinds, load, withheld_names
from captions import COLOURS, caption, own_name
from lessons import COMPREHENSIVE, WAYS, told
from scenes import EYEWEAR, HATS, HEADS, short_name
from settings import HERE, PIXELS, RUNS
from voices import Voiced, chosen, ending, voiced, words
from world import Part, Thing, Truth, World, withheld

SEED = 31
SHARES = {
    "one": 0.50,
    "mirrored": 0.04,
    "placed": 0.06,
    "counted": 0.10,
    "pair": 0.15,
    "dressed": 0.09,
    "suited": 0.06,
}
CLEAR = 0.75
WITHHELD = "one in sixteen; worn things in their styles, too"  # of what rule the scenes are that were drawn
FRONTAL = (
    *HEADS,
    "mouse face",
    "grinning cat",
    "smiling cat with heart-eyes",
    "front-facing baby chick",
)
EMPTY, LONG, PLAIN = (
    0.1,
    0.12,
    0.15,
)  # shares of captions: none, at length, in the short ways of version 2
SPOKEN = {"short": 0.5, "name": 0.15, "everyday": 0.25, "keyword": 0.1}  # how a thing is called
ALONE = (
    0.5  # how often what can be said by itself ("good night") is, where that is all that is shown
)
FEW = 3  # subjects that may share a keyword by which one of them is called


class Lessons(World):
    """Scenes with faces of version 3, and mirrored ones."""

    def dressed(self, rng: np.random.Generator) -> tuple[tuple[Thing, ...], str] | None:
        """A head or a round face with a hat or glasses."""
        faces = tuple(
            s.name for s in self.subjects if s.kind == "face" and s.name.endswith(("face", "eyes"))
        )
        wearer = self.named(rng, FRONTAL if rng.random() < 0.7 else faces)
        worn = self.named(rng, HATS if rng.random() < 0.6 else EYEWEAR)
        return (
            None
            if wearer is None or worn is None
            else ((replace(wearer, wears=worn.subject.name),), "")
        )

    def hides(self, truth: Truth) -> bool:
        """Also a thing in a style that it is withheld in, where it is worn."""
        worn = [
            "astronaut" if thing.wears == "space suit" else thing.wears
            for thing in truth.things
            if thing.wears
        ]
        return super().hides(truth) or any(
            withheld(self.part, self.by_name[name].codepoints, truth.style) for name in worn
        )

    def mirrored(self, rng: np.random.Generator) -> tuple[tuple[Thing, ...], str]:
        """A single subject that looks the other way."""
        return (replace(self.any(rng), mirrored=True),), ""


def lessons(everything: bool = False, part: Part = "generator3") -> Lessons:
    """The scenes; of all subjects that may be shown, or of those that people ask for.

    Args:
        part: "all" for scenes that show withheld combinations, too.
    """
    subjects, sprites = load(3)
    hidden = withheld_names(3)
    shown = [s for s in subjects if s.name not in hidden and (s.kind or everything)]
    return Lessons(shown, sprites, part=part, seed=SEED, shares=SHARES, clear=CLEAR)


@cache
def everyday() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """CLDR name -> (nouns that it answers, what is said by itself that it answers), of everyday.txt."""
    found: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for line in (HERE / "everyday.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            words, names = line.split(": ", 1)
            nouns, _, alone = (part.strip() for part in words.partition("|"))
            both = tuple(
                tuple(word.strip() for word in part.split(",") if word.strip())
                for part in (nouns, alone)
            )
            for name in names.split("; "):
                before = found.get(name, ((), ()))
                found[name] = (before[0] + both[0], before[1] + both[1])
    return found


def never_taught() -> set[str]:
    """Every word of the wordings that the bench keeps for itself."""
    lines = (HERE.parent / "bench" / "wordings.txt").read_text().splitlines()
    kept = [line.split("\t")[1] for line in lines if line.startswith(("dev", "test"))]
    return set(re.findall(r"\w+", " ".join(kept).lower()))


def telling_keywords(subjects: list[Subject], names: set[str]) -> dict[str, tuple[str, ...]]:
    """CLDR name -> keywords that few subjects share, that are no name of anything and mean something.

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
        | words()
        | never_taught()
    )
    return {
        subject.name: tuple(
            w
            for w in subject.keywords
            if len(shared[w.lower()]) <= FEW and len(w) > 2 and w.lower() not in taken
        )
        for subject in subjects
    }


class Telling:
    """Tells scenes, each time anew."""

    def __init__(self, subjects: list[Subject], names: set[str]) -> None:
        """Args:
        subjects: all that may be told; their keywords are compared.
        names: of everything that there is, held-out things too: none is taught as another word for something else.
        """
        self.keywords: Mapping[str, tuple[str, ...]] = telling_keywords(subjects, names)

    def name(self, thing: Thing, rng: np.random.Generator) -> str:
        """What somebody calls a thing: its short name, its full one, an everyday word, or a keyword."""
        way = str(rng.choice(list(SPOKEN), p=list(SPOKEN.values())))
        nouns = everyday().get(thing.subject.name, ((), ()))[0]
        found = (
            nouns
            if way == "everyday"
            else self.keywords.get(thing.subject.name, ())
            if way == "keyword"
            else ()
        )
        fit = [
            word
            for word in found
            if not (thing.count > 1 and word.endswith("s"))
            and not (thing.colour and word.startswith(COLOURS))
        ]
        if not fit:
            return shortened(own_name(thing, way != "name"), rng)
        return f"{thing.colour} {chosen(rng, tuple(fit))}".strip()

    def alone(self, truth: Truth, rng: np.random.Generator) -> str:
        """What is said by itself for a single plain thing ("good night"), with an ending and a style; "" for others."""
        first = truth.things[0]
        usual = (
            len(truth.things) == 1
            and first == Thing(first.subject)
            and truth.ground.kind == "transparent"
        )
        words = everyday().get(first.subject.name, ((), ()))[1]
        if not (usual and words and rng.random() < ALONE):
            return ""
        style = f"in {truth.style} style" if rng.random() < 0.7 else ""
        after = ending(rng) if rng.random() < 0.25 else ""
        said = chosen(rng, words) + (after if after[:1] in "!.?" else f" {after}")
        return ", ".join(part for part in (said.strip(), style) if part)

    def __call__(self, truth: Truth, rng: np.random.Generator) -> str:
        """A caption."""
        drawn = rng.random()
        if drawn < EMPTY:
            return ""
        if truth.things[0].mirrored:
            return self.voiced(truth, rng).said
        if drawn < EMPTY + LONG:
            return caption(truth, "long", rng)
        if drawn < EMPTY + LONG + PLAIN:
            elsewhere = (
                truth.things[0].size != "large"
                and truth.things[0].count == 1
                and not truth.relation
            )
            return told(truth, rng)[COMPREHENSIVE if elsewhere else rng.choice(len(WAYS), p=WAYS)]
        return self.alone(truth, rng) or self.voiced(truth, rng).said

    def voiced(self, truth: Truth, rng: np.random.Generator) -> Voiced:
        """As somebody might type it, and plainly."""
        return voiced(truth, rng, [self.name(thing, rng) for thing in truth.things])


def telling(scenes: World) -> Telling:
    """For scenes of any subjects."""
    return Telling(scenes.subjects, {subject.name for subject in load(3)[0]})


def shortened(name: str, rng: np.random.Generator) -> str:
    """A long name, now and then with what people leave out of it: "tears of joy" for "face with tears of joy"."""
    if len(name.split()) < 3 or rng.random() < 0.7:
        return name
    left = re.sub(r"\bface\b( with)?", " ", name).split()
    words = [word for word in left if word not in ("with", "of", "in", "on") or rng.random() < 0.5]
    return " ".join(words) or name


def sheet(scenes: World, count: int, columns: int = 3) -> Image.Image:
    """The first scenes, each told five times."""
    page = Image.new("RGB", (columns * 560, -(-count // columns) * 136), (206, 206, 206))
    pen, tell = ImageDraw.Draw(page), telling(scenes)
    for index in range(count):
        rgba, truth = scenes[index]
        x, y = index % columns * 560, index // columns * 136
        picture = Image.frombuffer(
            "RGBa", (PIXELS, PIXELS), rgba.tobytes(), "raw", "RGBa", 0, 1
        ).convert("RGBA")
        page.paste(picture, (x + 4, y + 4), picture)
        lines = [
            tell(truth, np.random.default_rng((SEED, index, telling)))[:70] for telling in range(5)
        ]
        pen.text((x + 140, y + 8), "\n".join(lines), fill=(0, 0, 0), font_size=11, spacing=8)
    return page


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=24)
    args = parser.parse_args()
    RUNS.mkdir(parents=True, exist_ok=True)
    sheet(lessons(), args.count).save(RUNS / "lessons_3.png")
    print(RUNS / "lessons_3.png", f"{len(kinds(3))} subjects")
