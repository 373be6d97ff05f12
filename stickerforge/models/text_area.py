"""How much of a picture is covered by written text, by the detector that rapidocr carries."""

from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from stickerforge.errors import EnvironmentFault
from stickerforge.runtime.install_hints import install_command
from stickerforge.stickers.color import WHITE

REQUIREMENTS = ("rapidocr", "onnxruntime")
TextArea = Callable[[Image.Image], float]
MIN_SIDE = 256  # below which a picture is enlarged
DETECTED_SIDE = 320  # of the longer side when text is looked for: small text covers little
# The detector takes a whole figure for a letter, which is then read as one, or without confidence.
MIN_LETTERS, MIN_CONFIDENCE = 2, 0.8


def can_find_text() -> bool:
    """Whether what finds text is installed."""
    return all(find_spec(name) for name in REQUIREMENTS)


def load_text_area() -> TextArea:
    """A function from a picture of any mode to the share of it that text covers, 0 to 1.

    Raises:
        EnvironmentFault: rapidocr is not installed, or cannot be loaded.
    """
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            from rapidocr import RapidOCR

            engine: Any = RapidOCR(
                params={
                    "Global.log_level": "critical",
                    "Det.limit_side_len": DETECTED_SIDE,
                    "Det.limit_type": "max",
                }
            )
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        missing = isinstance(error, ImportError)
        raise EnvironmentFault(
            "finding text in pictures needs rapidocr, which "
            + ("is not installed" if missing else f"cannot be loaded: {str(error)[:80]}"),
            f"{install_command(REQUIREMENTS[0])} {REQUIREMENTS[1]}, or turn the setting text off",
        ) from None

    def text_area(image: Image.Image) -> float:
        rgb = on_white(image)
        found = engine(rgb, use_det=True, use_cls=False, use_rec=True)
        if found.boxes is None:
            return 0.0
        read = zip(found.boxes, found.txts or (), found.scores or (), strict=False)
        boxes = [box for box, text, confidence in read if is_text(text, confidence)]
        return covered_share(rgb.shape[:2], boxes)

    return text_area


def is_text(text: str, confidence: float) -> bool:
    """Whether what was read is text, and not a figure that looks like a letter."""
    letters = sum(character.isalnum() for character in text)
    return letters >= MIN_LETTERS and confidence >= MIN_CONFIDENCE


def on_white(image: Image.Image) -> NDArray[np.uint8]:
    """A picture on white, uint8 (H, W, 3), enlarged where it is small."""
    page = Image.new("RGBA", image.size, (*WHITE, 255))
    page.alpha_composite(image.convert("RGBA"))
    factor = MIN_SIDE / min(page.size)
    if factor > 1:
        size = (round(page.width * factor), round(page.height * factor))
        page = page.resize(size, Image.Resampling.BICUBIC)
    return np.asarray(page.convert("RGB"))


def covered_share(shape: tuple[int, ...], boxes: Any) -> float:
    """The share of a picture of (height, width) that quadrangles cover together.

    Args:
        boxes: corners as (x, y), (N, 4, 2).
    """
    mask = Image.new("1", (shape[1], shape[0]))
    draw = ImageDraw.Draw(mask)
    for box in boxes:
        draw.polygon([(float(x), float(y)) for x, y in box], fill=1)
    return float(np.asarray(mask).mean())
