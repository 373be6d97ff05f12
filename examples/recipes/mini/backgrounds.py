"""Grounds of StickerWorld's scenes: none, plain, gradient, pattern, and four simple places."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from examples.recipes.mini.settings import PIXELS
from examples.recipes.mini.vocabulary import GROUNDS

PATTERNS = ("dots", "stripes", "checks")
PLACES = ("meadow", "beach", "night sky", "snowy hill")


@dataclass(frozen=True)
class Ground:
    """What is behind everything.

    Args:
        kind: transparent, plain, gradient, pattern or place.
        name: of a pattern or a place.
        colours: one for plain, two for gradient and pattern.
    """

    kind: str
    name: str = ""
    colours: tuple[str, ...] = ()


def random_ground(rng: np.random.Generator, clear: float = 0.5) -> Ground:
    """None in a share `clear` of all scenes; of the others two in five are plain."""
    chances = (clear, *((1 - clear) * share for share in (0.4, 0.2, 0.2, 0.2)))
    kind = str(rng.choice(("transparent", "plain", "gradient", "pattern", "place"), p=chances))
    colours = tuple(str(colour) for colour in rng.choice(list(GROUNDS), 2, replace=False))
    if kind == "place":
        return Ground(kind, str(rng.choice(PLACES)))
    if kind == "pattern":
        return Ground(kind, str(rng.choice(PATTERNS)), colours)
    return Ground(kind, "", colours[: {"transparent": 0, "plain": 1, "gradient": 2}[kind]])


@cache
def render_ground(ground: Ground) -> np.ndarray:
    """uint8 (PIXELS, PIXELS, 4), opaque unless transparent."""
    if ground.kind == "transparent":
        return np.zeros((PIXELS, PIXELS, 4), np.uint8)
    colours = [GROUNDS[name] for name in ground.colours]
    if ground.kind == "gradient":
        share = np.linspace(0, 1, PIXELS)[:, None, None]
        planes = (1 - share) * np.array(colours[0]) + share * np.array(colours[1])
        return add_alpha(np.broadcast_to(planes, (PIXELS, PIXELS, 3)).round().astype(np.uint8))
    page = Image.new("RGB", (2 * PIXELS, 2 * PIXELS), colours[0] if colours else (255, 255, 255))
    pen = ImageDraw.Draw(page)
    if ground.kind == "pattern":
        paint_pattern(pen, ground.name, colours[1])
    if ground.kind == "place":
        paint_place(pen, ground.name)
    return add_alpha(np.asarray(page.resize((PIXELS, PIXELS), Image.Resampling.BOX)))


def add_alpha(rgb: np.ndarray) -> np.ndarray:
    """With an alpha of 255."""
    return np.concatenate([rgb, np.full((*rgb.shape[:2], 1), 255, np.uint8)], -1)


def paint_pattern(pen: ImageDraw.ImageDraw, name: str, colour: tuple[int, int, int]) -> None:
    """At twice the size, to be shrunk."""
    step = 32
    for row in range(2 * PIXELS // step):
        for column in range(2 * PIXELS // step):
            x, y = column * step, row * step
            if name == "dots":
                pen.ellipse((x + 9, y + 9, x + 22, y + 22), fill=colour)
            elif name == "stripes" and row == 0:
                pen.rectangle((x, 0, x + step // 2 - 1, 2 * PIXELS), fill=colour)
            elif name == "checks" and (row + column) % 2:
                pen.rectangle((x, y, x + step - 1, y + step - 1), fill=colour)


def paint_place(pen: ImageDraw.ImageDraw, name: str) -> None:
    """Sky, horizon, and little else, at twice the size."""
    side = 2 * PIXELS
    sky, land = {
        "meadow": ((176, 216, 246), (120, 190, 96)),
        "beach": ((150, 210, 244), (244, 220, 160)),
        "night sky": ((28, 30, 70), (28, 30, 70)),
        "snowy hill": ((198, 214, 232), (250, 250, 252)),
    }[name]
    pen.rectangle((0, 0, side, side), fill=sky)
    if name == "night sky":
        for number in range(40):
            x, y = number * 97 % side, number * 61 % side
            pen.ellipse((x, y, x + 3, y + 3), fill=(250, 240, 190))
        return
    if name == "beach":
        pen.rectangle((0, side * 0.55, side, side * 0.72), fill=(70, 150, 210))
        pen.rectangle((0, side * 0.72, side, side), fill=land)
        return
    pen.ellipse((-side * 0.4, side * 0.62, side * 1.4, side * 2), fill=land)


def ground_canvas(ground: Ground) -> np.ndarray:
    """A fresh copy to draw on."""
    return render_ground(ground).copy()


def ground_phrase(ground: Ground) -> str:
    """How a caption says it."""
    if ground.kind == "transparent":
        return ""
    if ground.kind == "plain":
        return f"on a {ground.colours[0]} ground"
    if ground.kind == "gradient":
        return f"on a ground that fades from {ground.colours[0]} to {ground.colours[1]}"
    if ground.kind == "pattern":
        return f"on a {ground.colours[0]} ground with {ground.colours[1]} {ground.name}"
    return {
        "meadow": "in a meadow",
        "beach": "on a beach",
        "night sky": "before a night sky",
        "snowy hill": "on a snowy hill",
    }[ground.name]
