"""The images of a folder: listed, decoded, cropped, reduced."""

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

from stickerforge.data.pictures import is_ignorable, list_entries, load_picture, may_be_picture
from stickerforge.data.prompts import MAX_CHARACTERS
from stickerforge.errors import InputError

SHEET = "contact-sheet.png"  # lies beside the pictures of `generate`
GREY, WHITE = (128, 128, 128), (255, 255, 255)
THUMBNAIL = 128
LARGEST = 1024  # what is larger is measured at this side
BATCH = 32
SMALL = 32  # side at which pixel-near copies are looked for
Floats = NDArray[np.float32]
Advance = Callable[[int], None]


@dataclass(frozen=True)
class ImageFeatures:
    """One picture.

    Args:
        size: bytes of the file.
        form: its format, as Pillow calls it.
        cutout: the figures of its alpha channel.
        whole, foreground: unit features over white, and of the figure cut to its box, over grey.
        read: what the judge reads: chances of labels, styles, colours and counts, one after another.
        small: (SMALL * SMALL * 4,) premultiplied over grey, and alpha.
        thumbnail: WebP.
    """

    path: Path
    sha256: str
    size: int
    form: str
    pixels: tuple[int, int]
    cutout: dict[str, float]
    whole: Floats
    foreground: Floats
    read: Floats
    small: Floats
    thumbnail: bytes
    recipe: dict[str, Any]


@dataclass
class FeatureSet:
    """Every picture in the order of its path, a line for each that cannot be read, and notes on how others were read."""

    pictures: list[ImageFeatures]
    failed: list[str]
    notes: list[str]


@dataclass(frozen=True)
class LoadedImage:
    """A decoded picture on its way to the encoder.

    Args:
        image: RGBA, at most LARGEST on a side.
        pixels: what the file has.
        note: what the user should know about how it was read, or "".
    """

    path: Path
    sha256: str
    size: int
    form: str
    pixels: tuple[int, int]
    image: Image.Image
    note: str


def list_images(folder: Path) -> tuple[list[Path], list[str]]:
    """(what may be a picture, names of what is none), by name; folders in it are not entered.

    Raises:
        InputError: there is no such folder, or no picture in it.
    """
    entries = [
        path for path in list_entries(folder) if not is_ignorable(path) and path.name != SHEET
    ]
    found = [path for path in entries if may_be_picture(path)]
    if not found:
        raise InputError(
            f"{folder}: no picture in it", "give a folder of PNG, WebP or JPEG pictures"
        )
    return found, [path.name for path in entries if path not in set(found)]


def load_batches(
    paths: Sequence[Path], result: FeatureSet, on_picture: Advance
) -> Iterator[list[LoadedImage]]:
    """Decoded pictures, a few at a time."""
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(paths), BATCH):
            looks = []
            for first in range(
                start, min(start + BATCH, len(paths)), workers
            ):  # no more large ones in memory than are worked on
                for found in pool.map(
                    load_image, paths[first : min(first + workers, start + BATCH)]
                ):
                    if isinstance(found, str):
                        result.failed.append(found)
                        on_picture(1)
                    else:
                        looks.append(found)
                        result.notes += [found.note] if found.note else []
            if looks:
                yield looks


def load_image(path: Path) -> LoadedImage | str:
    """A decoded picture, or why it cannot be had."""
    try:
        picture, rgba = load_picture(path)
        size = path.stat().st_size
        with Image.open(path) as file:
            form = file.format or ""
    except InputError as error:
        return error.message
    except OSError as error:
        return f"{path.name}: {error.strerror}"
    image = Image.fromarray(rgba)
    pixels = image.size
    if max(pixels) > LARGEST:
        image = image.convert("RGBa")
        image.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
        image = image.convert("RGBA")
    return LoadedImage(path, picture.sha256, size, form, pixels, image, picture.note)


def prompt_params(path: Path) -> dict[str, Any]:
    """What of a picture's recipe says what it was to show: {"prompt", "text", "style", "seed"}, only what is of the right kind."""
    from stickerforge.stickers.image_files import read_params

    try:
        recipe = read_params(path) or {}
    except (OSError, ValueError):
        recipe = {}
    texts = {key: recipe[key] for key in ("prompt", "text", "style") if is_usable(recipe.get(key))}
    return texts | ({"seed": recipe["seed"]} if isinstance(recipe.get("seed"), int) else {})


def is_usable(text: Any) -> bool:
    """Whether something can be compared with a picture: a text that is not blank, not endless, and can be written."""
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_CHARACTERS:
        return False
    return text.isprintable() or not any(0xD800 <= ord(character) < 0xE000 for character in text)


def crop_to_visible(image: Image.Image) -> Image.Image:
    """The part of a picture that is visible."""
    box = image.getchannel("A").point(lambda value: 255 if value > 25 else 0).getbbox()
    return image.crop(box) if box else image


def downsample(image: Image.Image) -> Floats:
    """What pixel-near copies are told by."""
    planes = (
        np.asarray(image.convert("RGBa").resize((SMALL, SMALL), Image.Resampling.BOX), np.float32)
        / 255
    )
    over_grey = planes[..., :3] + 0.5 * (1 - planes[..., 3:])
    return (
        np.concatenate([over_grey, planes[..., 3:]], -1)
        .ravel()
        .astype(np.float16)
        .astype(np.float32)
    )  # as it is kept


def thumbnail(image: Image.Image) -> bytes:
    """A small WebP with alpha."""
    copy = image.convert("RGBa")
    copy.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS, reducing_gap=3.0)
    stream = io.BytesIO()
    copy.convert("RGBA").save(stream, "WEBP", quality=80, method=2)
    return stream.getvalue()
