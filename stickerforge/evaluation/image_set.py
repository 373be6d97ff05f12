"""The pictures of a folder: listed, decoded, cropped, reduced."""

import io
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stickerforge.data.picture_folder import KINDS_HINT, list_pictures
from stickerforge.data.pictures import load_picture
from stickerforge.data.prompt_tables import is_blank
from stickerforge.data.prompts import MAX_CHARACTERS
from stickerforge.errors import InputError
from stickerforge.stickers.image_files import read_foreign_params, read_params
from stickerforge.stickers.sheet import SHEET_FILE

THUMBNAIL = 128
LARGEST = 1024  # what is larger is measured at this side
BATCH = 32
WORKERS = min(4, os.cpu_count() or 1)
REDUCED = 32  # side at which pixel-near copies are looked for
Advance = Callable[[int], None]


@dataclass(frozen=True)
class LoadedImage:
    """A decoded picture on its way to the encoder.

    Args:
        file_format: as Pillow calls it.
        pixels: (width, height) of the file.
        image: RGBA, at most LARGEST on a side.
        note: what the user should know about how it was read, or "".
    """

    path: Path
    sha256: str
    file_bytes: int
    file_format: str
    pixels: tuple[int, int]
    image: Image.Image
    note: str


def list_images(folder: Path) -> tuple[list[Path], list[str]]:
    """As `list_pictures`, without the sheet that `generate` leaves.

    Raises:
        InputError: there is no such folder, or no picture in it.
    """
    paths, others = list_pictures(folder)
    pictures = [path for path in paths if path.name != SHEET_FILE]
    if not pictures:
        raise InputError(f"{folder}: no picture in it", KINDS_HINT)
    return pictures, others


def load_batches(paths: Sequence[Path]) -> Iterator[list[LoadedImage | str]]:
    """Decoded pictures, or why one cannot be had, at most BATCH at a time."""
    with ThreadPoolExecutor(WORKERS) as pool:
        for start in range(0, len(paths), BATCH):
            stop = min(start + BATCH, len(paths))
            batch: list[LoadedImage | str] = []
            # No more large ones in memory than are worked on.
            for first in range(start, stop, WORKERS):
                batch += pool.map(load_image, paths[first : min(first + WORKERS, stop)])
            yield batch


def load_image(path: Path) -> LoadedImage | str:
    """A decoded picture, or why it cannot be had."""
    try:
        picture, decoded = load_picture(path)
    except InputError as error:
        return error.message
    image = Image.fromarray(decoded.rgba)
    if max(image.size) > LARGEST:
        image = image.convert("RGBa")
        image.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
        image = image.convert("RGBA")
    return LoadedImage(
        path,
        picture.sha256,
        picture.file_bytes,
        decoded.kind,
        decoded.size,
        image,
        picture.note,
    )


def prompt_params(path: Path) -> dict[str, Any]:
    """What of a picture's parameters says what it was to show.

    Returns:
        {"prompt", "text", "style", "seed"}, only what is of the right kind.
    """
    try:
        params = read_params(path) or foreign_prompt(path)
    except (OSError, ValueError):
        params = {}
    texts = {key: params[key] for key in ("prompt", "text", "style") if is_usable(params.get(key))}
    return texts | ({"seed": params["seed"]} if isinstance(params.get("seed"), int) else {})


def foreign_prompt(path: Path) -> dict[str, Any]:
    """As `prompt_params`, of what another program wrote.

    Raises:
        OSError, ValueError: it is no picture that programs write into.
    """
    params = read_foreign_params(path)
    return {"prompt": params.prompt, "seed": params.seed} if params else {}


def is_usable(text: Any) -> bool:
    """Whether something can be compared with a picture: not blank, not endless, and writable."""
    if not isinstance(text, str) or is_blank(text) or len(text) > MAX_CHARACTERS:
        return False
    return text.isprintable() or not any(0xD800 <= ord(character) < 0xE000 for character in text)


def crop_to_visible(image: Image.Image) -> Image.Image:
    """The part of a picture that is visible."""
    box = image.getchannel("A").point(lambda value: 255 if value > 25 else 0).getbbox()
    return image.crop(box) if box else image


def reduce_pixels(image: Image.Image) -> NDArray[np.float32]:
    """What pixel-near copies are found by: (REDUCED * REDUCED * 4,), over grey, and alpha."""
    side = (REDUCED, REDUCED)
    small = image.convert("RGBa").resize(side, Image.Resampling.BOX)
    planes = np.asarray(small, np.float32) / 255
    over_grey = planes[..., :3] + 0.5 * (1 - planes[..., 3:])
    values = np.concatenate([over_grey, planes[..., 3:]], -1).ravel()
    return values.astype(np.float16).astype(np.float32)  # as the cache holds it


def thumbnail(image: Image.Image) -> bytes:
    """A small WebP with alpha."""
    copy = image.convert("RGBa")
    copy.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS, reducing_gap=3.0)
    stream = io.BytesIO()
    copy.convert("RGBA").save(stream, "WEBP", quality=80, method=2)
    return stream.getvalue()
