"""What can be said of a picture without a model.

Its background, its colours by name, and how it is framed.

`rgb` is uint8 (H, W, 3); `lab_image` is the same in CIELAB, float64 (H, W, 3); masks are boolean
(H, W).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from stickerforge.stickers.color import Floats, lab

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]
# Colours as people name them, each by a few examples: the nearest in CIELAB gives the name.
COLOR_EXAMPLES: dict[str, tuple[str, ...]] = {
    "white": ("ffffff", "f2f2ee"),
    "black": ("000000", "1c1c20"),
    "grey": ("808080", "b4b6ba", "545659", "cfd2d6"),
    "red": ("e23c3c", "b01818", "ff2a2a"),
    "orange": ("fa9632", "e8741c"),
    "yellow": ("fcd450", "ffe600", "f6e58d"),
    "green": ("5cb25c", "1f7a2e", "8bc34a", "0b4f1e", "a3d48a"),
    "blue": ("4a86e2", "1446b4", "0d1f66", "000080", "2f9be6"),
    "pale blue": ("bedcf8", "a9d5f2", "d3e9fb"),
    "purple": ("9260c8", "5a2d8c", "b388e0"),
    "pink": ("f8b0cc", "f26fa5", "fbd0e0"),
    "brown": ("8c6242", "5a3a22", "b98a5f", "6e4a2a"),
    "beige": ("f0dcb4", "d9c3a0"),
}
RING = 0.04  # width of the border that the background is read from, of the shorter side
ALIKE = 12.0  # distance in CIELAB within which a pixel is of the background
# Distance from one colour, or from one gradient, within which three quarters of the border must
# lie to be that.
EVEN = 6.0
# Share of the border that must lie near one of two colours for a pattern; where they meet they mix.
MOSTLY = 0.7
CLEAR = 0.02  # share that is clear from which a picture is cut out; rounded corners are less
PART = 0.2  # share from which a colour is named


@dataclass(frozen=True)
class Background:
    """What is behind the figure.

    Args:
        kind: "clear", "plain", "fading" (its colours from top to bottom, or from left to right),
            "patterned" of two colours, or "busy".
        colors: their names, the commonest first; none of a clear background.
        foreground: what is not background.
    """

    kind: str
    colors: tuple[str, ...]
    foreground: Mask


@cache
def color_examples() -> tuple[tuple[str, ...], Floats]:
    """(name of each example, their CIELAB (N, 3))."""
    pairs = [(name, code) for name, codes in COLOR_EXAMPLES.items() for code in codes]
    return tuple(name for name, _ in pairs), lab(
        np.array([[int(code[i : i + 2], 16) for i in (0, 2, 4)] for _, code in pairs])
    )


def color_names(colors: NDArray[np.number]) -> NDArray[np.str_]:
    """The name of every colour (N, 3), of 0 to 255."""
    names, examples = color_examples()
    distance = np.square(lab(colors)[:, None] - examples).sum(-1)
    nearest: NDArray[np.str_] = np.array(names)[distance.argmin(1)]
    return nearest


def dominant_colors(rgb: Rgb, mask: Mask, limit: int = 3) -> tuple[str, ...]:
    """The names of the colours that make up a fifth of a mask at least, the commonest first."""
    if not mask.any():
        return ()
    sample = rgb[mask][:: max(1, int(mask.sum()) // 4000)]
    names, counts = np.unique(color_names(sample), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return tuple(str(names[i]) for i in order[:limit] if counts[i] >= PART * counts.sum())


def analyze_background(rgb: Rgb, clear: Mask) -> Background:
    """The background of a picture, read from its border.

    Args:
        clear: which pixels are transparent.
    """
    if clear.mean() >= CLEAR:
        return Background("clear", (), ~clear)
    lab_image, ring = lab(rgb), border_mask(clear.shape)
    middle = np.median(lab_image[ring], 0)
    if np.quantile(np.linalg.norm(lab_image[ring] - middle, axis=1), 0.75) < EVEN:
        name = str(color_names(np.median(rgb[ring], 0)[None])[0])
        return Background("plain", (name,), foreground_mask(lab_image, middle))
    gradient = fit_gradient(lab_image, ring)
    if np.quantile(np.linalg.norm((lab_image - gradient)[ring], axis=1), 0.75) < EVEN:
        ends = np.stack([np.median(rgb[side], 0) for side in gradient_ends(gradient)])
        return Background("fading", distinct_names(ends), foreground_mask(lab_image, gradient))
    pair = two_colors(lab_image[ring])
    distance = np.linalg.norm(lab_image[:, :, None] - pair, axis=-1)
    if np.quantile(distance.min(-1)[ring], MOSTLY) < EVEN:
        colors = [np.median(rgb[ring][distance[ring][:, i] < ALIKE], 0) for i in (0, 1)]
        # Where both colours meet they mix, in lines that opening takes away.
        lines_off = ndimage.binary_opening(distance.min(-1) > ALIKE, np.ones((3, 3)))
        filled: Mask = ndimage.binary_fill_holes(lines_off)
        foreground = filled if filled.mean() > 0.02 else center_mask(clear.shape)
        return Background("patterned", distinct_names(np.stack(colors)), foreground)
    return Background("busy", dominant_colors(rgb, ring, 2), center_mask(clear.shape))


def distinct_names(colors: NDArray[np.number]) -> tuple[str, ...]:
    """The names of colours (N, 3), each once."""
    return tuple(dict.fromkeys(color_names(colors).tolist()))


def two_colors(colors: Floats) -> Floats:
    """The two colours that colours (N, 3) lie nearest to, (2, 3).

    Lloyd's iteration from the two that are farthest apart, with medians.
    """
    middle = np.median(colors, 0)
    first = colors[np.linalg.norm(colors - middle, axis=1).argmax()]
    pair = np.stack([first, colors[np.linalg.norm(colors - first, axis=1).argmax()]])
    for _ in range(8):
        nearer = np.linalg.norm(colors[:, None] - pair, axis=-1).argmin(1)
        pair = np.stack(
            [
                np.median(colors[nearer == side], 0) if (nearer == side).any() else pair[side]
                for side in (0, 1)
            ]
        )
    return pair


def border_mask(shape: tuple[int, ...]) -> Mask:
    """The outermost pixels."""
    width = max(2, round(RING * min(shape)))
    mask = np.ones(shape, bool)
    mask[width:-width, width:-width] = False
    return mask


def center_mask(shape: tuple[int, ...]) -> Mask:
    """Where the figure of a photograph mostly is: the inner three fifths."""
    mask = np.zeros(shape, bool)
    mask[shape[0] // 5 : -(shape[0] // 5) or None, shape[1] // 5 : -(shape[1] // 5) or None] = True
    return mask


def fit_gradient(lab_image: Floats, ring: Mask) -> Floats:
    """The background as a smooth change of colour, (H, W, 3).

    A quadratic of row and column is fitted to the border by least squares, twice, the second time
    without the fifth that fits worst.
    """
    height, width = ring.shape
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(rows), rows, columns, rows**2, columns**2], -1)
    mask = ring
    for _ in range(2):
        weights = np.linalg.lstsq(terms[mask], lab_image[mask], rcond=None)[0]
        gradient: Floats = terms @ weights
        distance = np.linalg.norm(lab_image - gradient, axis=-1)
        mask = ring & (distance <= np.quantile(distance[ring], 0.8))
    return gradient


def gradient_ends(gradient: Floats) -> tuple[Mask, Mask]:
    """The two borders between which a gradient changes most: top and bottom, or left and right."""
    height, width = gradient.shape[:2]
    top, bottom, left, right = (np.zeros((height, width), bool) for _ in range(4))
    top[: max(1, height // 16)], bottom[-max(1, height // 16) :] = True, True
    left[:, : max(1, width // 16)], right[:, -max(1, width // 16) :] = True, True
    down, across = (
        np.linalg.norm(gradient[start].mean(0) - gradient[end].mean(0))
        for start, end in ((top, bottom), (left, right))
    )
    return (top, bottom) if down >= across else (left, right)


def foreground_mask(lab_image: Floats, background: Floats) -> Mask:
    """What differs from the background, and what that encloses; everything where nothing does.

    Args:
        background: its colour at each pixel, or everywhere: whatever broadcasts to (H, W, 3).
    """
    differs = np.linalg.norm(lab_image - background, axis=-1) > ALIKE
    filled: Mask = ndimage.binary_fill_holes(ndimage.binary_opening(differs, np.ones((2, 2))))
    return filled if filled.mean() > 0.005 else np.ones_like(filled)


def framing(foreground: Mask) -> tuple[str, str]:
    """Size and position of the foreground's bounding box.

    Returns:
        "small", "close-up" or ""; "at the top left" and the like of a small one, or "" for the
        middle.
    """
    rows, columns = np.nonzero(foreground.any(1))[0], np.nonzero(foreground.any(0))[0]
    if not len(rows):
        return "", ""
    height, width = foreground.shape
    tall, wide = (rows[-1] - rows[0] + 1) / height, (columns[-1] - columns[0] + 1) / width
    edges = [rows[0] == 0, rows[-1] == height - 1, columns[0] == 0, columns[-1] == width - 1]
    if sum(map(int, edges)) >= 3:
        return "close-up", ""
    if max(tall, wide) >= 0.5:
        return "", ""
    y, x = (rows[0] + rows[-1]) / 2 / height, (columns[0] + columns[-1]) / 2 / width
    vertical = "top" if y < 0.4 else "bottom" if y > 0.6 else ""
    horizontal = "left" if x < 0.4 else "right" if x > 0.6 else ""
    words = [word for word in (vertical, horizontal) if word]
    return "small", " ".join(["at the", *words]) if words else ""
