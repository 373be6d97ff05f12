"""Operations on premultiplied uint8 sprites: resize, paste, recolour, dress."""

import colorsys

import numpy as np
from PIL import Image

from examples.recipes.mini.settings import SPRITE_PIXELS

# Centre and radius of the helmet's window (of the head, where the helmet is off), on a unit square.
WINDOW = {
    "noto": (0.495, 0.45, 0.32),
    "twemoji": (0.605, 0.41, 0.35),
    "fluent": (0.5, 0.345, 0.24),
    "flat": (0.5, 0.345, 0.245),
}
BEHIND = {"noto": (92, 70, 44), "fluent": (74, 60, 66), "flat": (50, 49, 52)}


def to_premultiplied_image(rgba: np.ndarray) -> Image.Image:
    """A premultiplied uint8 array (H, W, 4) as a picture of mode RGBa."""
    content = np.ascontiguousarray(rgba).tobytes()
    return Image.frombuffer("RGBa", rgba.shape[1::-1], content, "raw", "RGBa", 0, 1)


def to_image(rgba: np.ndarray) -> Image.Image:
    """A premultiplied uint8 array (H, W, 4) as a picture of mode RGBA."""
    return to_premultiplied_image(rgba).convert("RGBA")


def resize(sprite: np.ndarray, width: int, height: int | None = None) -> np.ndarray:
    """A sprite at another size, (height or width, width, 4).

    It stays premultiplied, so no colour leaks from where alpha is 0.
    """
    size = (width, height or width)
    small = to_premultiplied_image(sprite).resize(size, Image.Resampling.LANCZOS)
    return np.frombuffer(small.tobytes(), np.uint8).reshape(size[1], size[0], 4)


def paste(canvas: np.ndarray, sprite: np.ndarray, centre_x: float, centre_y: float) -> None:
    """Lay a premultiplied sprite over the canvas (in place), clipped at its borders."""
    height, width = sprite.shape[:2]
    left, top = round(centre_x - width / 2), round(centre_y - height / 2)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + width, canvas.shape[1]), min(top + height, canvas.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    over = sprite[y0 - top : y1 - top, x0 - left : x1 - left].astype(np.uint16)
    under = canvas[y0:y1, x0:x1].astype(np.uint16)
    canvas[y0:y1, x0:x1] = np.minimum(over + (under * (255 - over[..., 3:]) + 127) // 255, 255)


def bounding_box(sprite: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is visible."""
    rows, columns = np.where(sprite[..., 3] > 32)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def recolour(sprite: np.ndarray, hue: float) -> np.ndarray:
    """The sprite with every colour turned to one hue; greys, black and white stay."""
    alpha = sprite[..., 3:].astype(np.float32)
    rgb = sprite[..., :3] / np.maximum(alpha, 1)
    high, low = rgb.max(-1), rgb.min(-1)
    value, saturation = high, np.where(high > 0, (high - low) / np.maximum(high, 1e-6), 0)
    pure = np.array(colorsys.hsv_to_rgb(hue, 1, 1), np.float32)
    rgb = value[..., None] * (1 - saturation[..., None] * (1 - pure))
    return np.concatenate([(rgb.clip(0, 1) * alpha).round(), alpha], -1).astype(np.uint8)


def dress_as_astronaut(head: np.ndarray, suit: np.ndarray, style: str) -> np.ndarray:
    """The astronaut's sprite with this head in place of the human one."""
    suit = suit.copy()
    x, y, radius = (v * SPRITE_PIXELS for v in WINDOW[style])
    rows, columns = np.mgrid[:SPRITE_PIXELS, :SPRITE_PIXELS] + 0.5
    left, top, right, bottom = bounding_box(head)
    helmet_on = style in BEHIND
    size = round(
        (1.9 if helmet_on else 2.0) * radius * head.shape[0] / max(right - left, bottom - top)
    )
    middle = (
        ((left + right) / 2 / head.shape[0] - 0.5) * size,
        ((top + bottom) / 2 / head.shape[0] - 0.5) * size,
    )
    if not helmet_on:
        suit[(rows < 133) & (columns > 62)] = 0  # the human head; the collar begins below it
        paste(suit, resize(head, size), x - middle[0], y - middle[1])
        return suit
    layer = np.zeros_like(suit)
    layer[:] = (*BEHIND[style], 255)
    paste(layer, resize(head, size), x - middle[0], y - middle[1])
    return np.where((np.hypot(columns - x, rows - y) < radius)[..., None], layer, suit)


def dress(wearer: np.ndarray, worn: np.ndarray, *, hat: bool) -> np.ndarray:
    """A head with something on it, on a canvas of the sprite's size.

    The head is lowered to make room for a hat.
    """
    side = SPRITE_PIXELS
    canvas = np.zeros_like(wearer)
    small = resize(wearer, round(0.8 * side)) if hat else wearer
    paste(canvas, small, side / 2, side * (0.6 if hat else 0.5))
    left, top, right, bottom = bounding_box(canvas)
    inner = bounding_box(worn)
    piece = worn[inner[1] : inner[3], inner[0] : inner[2]]
    width = (right - left) * (0.62 if hat else 0.74)
    height = width * piece.shape[0] / piece.shape[1]
    if hat and height > 0.36 * side:
        width, height = width * 0.36 * side / height, 0.36 * side
    piece = resize(piece, max(1, round(width)), max(1, round(height)))
    y = top + 0.14 * (bottom - top) - height / 2 if hat else top + 0.45 * (bottom - top)
    paste(canvas, piece, (left + right) / 2, max(y, height / 2))
    return canvas


def hue_share(sprite: np.ndarray) -> float:
    """Share of the visible pixels that have a colour at all, at every fourth row and column."""
    pixels = sprite[::4, ::4].astype(int)
    visible = pixels[..., 3] > 128
    colourful = pixels[..., :3].max(-1) - pixels[..., :3].min(-1) > 50
    return float((colourful & visible).sum() / max(1, visible.sum()))


def has_hue(sprite: np.ndarray, hue: float) -> bool:
    """Whether the mean colour of a sprite is within 0.08 of a hue in [0, 1]."""
    pixels = sprite[::4, ::4].reshape(-1, 4)
    red, green, blue = pixels[pixels[:, 3] > 128][:, :3].mean(0) / 255
    own = colorsys.rgb_to_hsv(red, green, blue)[0]
    return bool(abs((own - hue + 0.5) % 1 - 0.5) < 0.08)
