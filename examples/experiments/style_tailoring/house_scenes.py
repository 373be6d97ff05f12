"""The style set with scenes: half of its single things, numbers of them, and pairs, side by side.

With single things alone, the number of things in a caption tells which set a picture is from.
"""

from collections.abc import Iterator

from PIL import Image

from examples.experiments.style_tailoring.house import TRAINED, HouseThing, house_split
from examples.recipes.mini.settings import PIXELS
from stickerforge.data.english import is_plural, plural

NUMBERS = {2: "two", 3: "three", 4: "four"}
SIDE = 60  # pixels of one of several
# Centres on a unit square, as sticker-mini lays numbers out.
PLACES = {
    2: ((0.25, 0.5), (0.75, 0.5)),
    3: ((0.5, 0.25), (0.25, 0.75), (0.75, 0.75)),
    4: ((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)),
}


def house_scenes() -> Iterator[tuple[Image.Image, str]]:
    """As many pictures with captions as the set of single things has, of the same things."""
    things = house_split()[0]
    for number, thing in enumerate(things):
        if number % 2 == 0:
            yield thing.picture(), thing.caption
        elif number % 4 == 1:
            count = 2 + number // 4 % 3
            yield compose([thing] * count), f"{NUMBERS[count]} {plural_of(thing.name)}"
        else:
            other = things[(number + 30) % TRAINED]
            yield compose([thing, other]), f"{thing.caption} and {other.caption}"


def plural_of(name: str) -> str:
    """More than one of a thing, whose name may be a plural already."""
    return name if is_plural(name) else plural(name)


def compose(things: list[HouseThing]) -> Image.Image:
    """Several things on one page."""
    page = Image.new("RGBA", (PIXELS, PIXELS))
    for thing, (x, y) in zip(things, PLACES[len(things)], strict=True):
        drawing = thing.picture().resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        corner = (round(x * PIXELS - SIDE / 2), round(y * PIXELS - SIDE / 2))
        page.alpha_composite(drawing, corner)
    return page
