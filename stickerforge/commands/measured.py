"""Everything that is measured of one picture, once per content: kept under its hash, so that a second look costs nothing."""

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.numpy import load, save

from stickerforge.data.pictures import entries_of, may_be_a_picture, opened, passed_in_silence
from stickerforge.data.prompts import MAX_CHARACTERS
from stickerforge.errors import InputError, StickerforgeError
from stickerforge.evaluation.cutout import cutout
from stickerforge.runtime.files import home, make_folder, write_whole

if TYPE_CHECKING:
    from stickerforge.models.encoders import Encoder

VERSION = 4  # of what is kept; another one is measured anew
SHEET = "contact-sheet.png"  # lies beside the pictures of `generate`
GREY, WHITE = (128, 128, 128), (255, 255, 255)
THUMBNAIL = 128
LARGEST = 1024  # what is larger is measured at this side
BATCH = 32
SMALL = 32  # side at which pixel-near copies are looked for
Floats = NDArray[np.float32]
Advance = Callable[[int], None]
SPOILED = (OSError, ValueError, KeyError, TypeError, SafetensorError)  # a file that was cut short or is something else


@dataclass(frozen=True)
class Measured:
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


@dataclass(frozen=True)
class Look:
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


def listed(folder: Path) -> tuple[list[Path], list[str]]:
    """(what may be a picture, names of what is none), by name; folders in it are not entered.

    Raises:
        InputError: there is no such folder, or no picture in it.
    """
    entries = [path for path in entries_of(folder) if not passed_in_silence(path) and path.name != SHEET]
    found = [path for path in entries if may_be_a_picture(path)]
    if not found:
        raise InputError(f"{folder}: no picture in it", "give a folder of PNG, WebP or JPEG pictures")
    return found, [path.name for path in entries if path not in set(found)]


@dataclass
class Measures:
    """Every picture in the order of its path, a line for each that cannot be read, and notes on how others were read."""

    pictures: list[Measured]
    failed: list[str]
    notes: list[str]


def measure(paths: Sequence[Path], encoder: "Encoder", on_picture: Advance = lambda count: None) -> Measures:
    """Measure what is not known yet."""
    folder = kept_in(encoder)
    found: dict[Path, Measured] = {}
    result = Measures([], [], [])
    fresh: list[Path] = []
    for path in paths:
        kept = recalled(path, folder) if folder else None
        if kept is None:
            fresh.append(path)
        else:
            found[path] = kept
            on_picture(1)
    for looks in batches(fresh, result, on_picture):
        for measured in encoded(looks, encoder):
            folder = keep(measured, folder) if folder else None
            found[measured.path] = measured
            on_picture(1)
    result.pictures = [found[path] for path in paths if path in found]
    return result


def kept_in(encoder: "Encoder") -> Path | None:
    """Where figures by an encoder are kept; None where nothing can be written, which costs time and nothing else."""
    folder = home() / "cache" / "evaluate" / f"{encoder.name[:40].replace('/', '-')}-{encoder.digest}-{VERSION}"
    try:
        make_folder(folder)
    except StickerforgeError:
        return None
    return folder


def batches(paths: Sequence[Path], result: Measures, on_picture: Advance) -> Iterator[list[Look]]:
    """Decoded pictures, a few at a time."""
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(paths), BATCH):
            looks = []
            for first in range(start, min(start + BATCH, len(paths)), workers):  # no more large ones in memory than are worked on
                for found in pool.map(look, paths[first : min(first + workers, start + BATCH)]):
                    if isinstance(found, str):
                        result.failed.append(found)
                        on_picture(1)
                    else:
                        looks.append(found)
                        result.notes += [found.note] if found.note else []
            if looks:
                yield looks


def look(path: Path) -> Look | str:
    """A decoded picture, or why it cannot be had."""
    try:
        picture, rgba = opened(path)
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
    return Look(path, picture.sha256, size, form, pixels, image, picture.note)


def encoded(looks: Sequence[Look], encoder: "Encoder") -> Iterator[Measured]:
    """The figures of some pictures."""
    from stickerforge.models.encoders import JudgeEncoder

    images = [item.image for item in looks]
    if isinstance(encoder, JudgeEncoder):
        whole, read = encoder.examined(images, WHITE)
    else:
        whole, read = encoder.images(images, WHITE), np.zeros((len(images), 0), np.float32)
    foreground = encoder.images([boxed(image) for image in images], GREY)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        figures = list(pool.map(lambda image: asdict(cutout(np.asarray(image))), images))
    for number, item in enumerate(looks):
        yield Measured(
            item.path, item.sha256, item.size, item.form, item.pixels, figures[number], whole[number], foreground[number], read[number],
            small(images[number]), thumbnail(images[number]), remembered(item.path),
        )  # fmt: skip


def remembered(path: Path) -> dict[str, Any]:
    """What of a picture's recipe says what it was to show: {"prompt", "text", "style", "seed"}, only what is of the right kind."""
    from stickerforge.stickers.encoding import recipe_of

    try:
        recipe = recipe_of(path) or {}
    except (OSError, ValueError):
        recipe = {}
    texts = {key: recipe[key] for key in ("prompt", "text", "style") if usable(recipe.get(key))}
    return texts | ({"seed": recipe["seed"]} if isinstance(recipe.get("seed"), int) else {})


def usable(text: Any) -> bool:
    """Whether something can be compared with a picture: a text that is not blank, not endless, and can be written."""
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_CHARACTERS:
        return False
    return text.isprintable() or not any(0xD800 <= ord(character) < 0xE000 for character in text)


def boxed(image: Image.Image) -> Image.Image:
    """The part of a picture that is visible."""
    box = image.getchannel("A").point(lambda value: 255 if value > 25 else 0).getbbox()
    return image.crop(box) if box else image


def small(image: Image.Image) -> Floats:
    """What pixel-near copies are told by."""
    planes = np.asarray(image.convert("RGBa").resize((SMALL, SMALL), Image.Resampling.BOX), np.float32) / 255
    over_grey = planes[..., :3] + 0.5 * (1 - planes[..., 3:])
    return np.concatenate([over_grey, planes[..., 3:]], -1).ravel().astype(np.float16).astype(np.float32)  # as it is kept


def thumbnail(image: Image.Image) -> bytes:
    """A small WebP with alpha."""
    copy = image.convert("RGBa")
    copy.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS, reducing_gap=3.0)
    stream = io.BytesIO()
    copy.convert("RGBA").save(stream, "WEBP", quality=80, method=2)
    return stream.getvalue()


def keep(measured: Measured, folder: Path) -> Path | None:
    """Write what was measured under the picture's hash; None where nothing more can be written."""
    facts = {"size": measured.size, "form": measured.form, "pixels": measured.pixels, "cutout": measured.cutout}
    facts |= {"recipe": measured.recipe}
    arrays: dict[str, NDArray[Any]] = {
        "whole": measured.whole,
        "foreground": measured.foreground,
        "small": measured.small.astype(np.float16),
        "read": measured.read,
    }
    arrays |= {"thumbnail": np.frombuffer(measured.thumbnail, np.uint8), "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)}
    try:
        write_whole(folder / f"{measured.sha256}.safetensors", save(arrays), durable=False)
    except StickerforgeError:
        return None
    return folder


def recalled(path: Path, folder: Path) -> Measured | None:
    """What is kept of this very content, if anything that can be read is."""
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        kept = load((folder / f"{digest}.safetensors").read_bytes())
        facts = json.loads(kept["facts"].tobytes())
        width, height = facts["pixels"]
        return Measured(
            path, digest, facts["size"], facts["form"], (width, height), facts["cutout"], kept["whole"], kept["foreground"],
            kept["read"], kept["small"].astype(np.float32), kept["thumbnail"].tobytes(), facts["recipe"],
        )  # fmt: skip
    except SPOILED:
        return None
