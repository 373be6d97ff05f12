"""Images that were to have no ground and fill their square: what is said of them, and what to do.

A model that draws alpha leaves the ground clear where a prompt names none. It reads the words of a
prompt one by one, so that "no background" brings it to draw one.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stickerforge.generation.image_params import ImageJob
from stickerforge.models.matting import DEFAULT
from stickerforge.runtime.console import Console
from stickerforge.runtime.text import shorten_list

if TYPE_CHECKING:
    from torch import Tensor

SOLID = 0.9  # alpha from which nothing shines through
FILLED = 0.5  # share of the border that is solid from which a square counts as filled
GROUND = r"(?:backgrounds?|backdrops?|grounds?)"
NO_GROUND = re.compile(
    rf"\b(?:(?:no|without|sans|transparent|clear|empty|removed?)\b(?: \w+){{0,2}}? {GROUND}"
    rf"|{GROUND} (?:is )?(?:transparent|removed)|backgroundless|cut[- ]?outs?|die[- ]?cut"
    r"|isolated|transparent png)\b",
    re.IGNORECASE,
)
STYLE = re.compile(r"\bin (?:(?!in\b)[^\s,]+ ){1,3}style\b", re.IGNORECASE)
# Words that may stand for a ground or a place, where something is to be seen behind the thing.
PLACE = re.compile(
    rf"\b(?:{GROUND}|scene(?:ry)?|landscape|pattern(?:ed)?|wallpaper|square|frame[ds]?"
    r"|on|in|at|under|above|over|inside|through|behind|near|beside|against|before)\b",
    re.IGNORECASE,
)


def asks_for_no_ground(prompt: str) -> bool:
    """Whether a prompt says in words that nothing is to be behind the thing."""
    return bool(NO_GROUND.search(prompt))


def names_no_ground(prompt: str) -> bool:
    """Whether a prompt says nothing that could be a ground or a place."""
    return not PLACE.search(STYLE.sub("", prompt))


def fills_square(pixels: "Tensor") -> bool:
    """Whether most of the border of an image, (3 or 4, H, W) in [0, 1], is opaque."""
    if len(pixels) == 3:
        return True
    alpha = pixels[3] > SOLID
    sides = (alpha[0], alpha[-1], alpha[1:-1, 0], alpha[1:-1, -1])
    solid = sum(int(side.sum()) for side in sides)
    return solid > FILLED * sum(len(side) for side in sides)


def warn_of_grounds(
    filled: Sequence[ImageJob], model: str, *, draws_alpha: bool, console: Console
) -> None:
    """Warn in one line of images that were to have no ground.

    Args:
        filled: images that fill their square, and were not cut out.
        draws_alpha: whether the model leaves grounds clear by itself.
    """
    asked = [job for job in filled if asks_for_no_ground(job.prompt)]
    plain = [job for job in filled if draws_alpha and names_no_ground(job.prompt)]
    names = [job.path.name for job in filled if job in asked or job in plain]
    if not names:
        return
    if not draws_alpha:
        remedy = "leave --set matting=none out, so that they are cut out"
    elif asked:
        remedy = (
            f"{model} leaves the ground clear where the prompt says nothing of one: leave those "
            f"words out, or add --set matting={DEFAULT}"
        )
    else:
        remedy = f"try another --seed, or add --set matting={DEFAULT}"
    console.warn(
        f"no ground was asked for, and {shorten_list(names, 3)} "
        f"{'fills its' if len(names) == 1 else 'fill their'} square; {remedy}"
    )
