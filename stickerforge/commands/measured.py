"""Everything that is measured of one picture, once per content: kept under its hash, so that a second look costs nothing."""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stickerforge.data.pictures import ICONS, SUFFIXES, decoded, looks_like_a_picture, read_picture
from stickerforge.errors import InputError
from stickerforge.evaluation.cutout import cutout
from stickerforge.runtime.files import home, make_folder, write_whole

if TYPE_CHECKING:
    from stickerforge.models.encoders import Encoder

NOT_MEANT = {*ICONS, "contact-sheet.png"}  # the sheet of `generate` lies beside its pictures
VERSION = 1  # of what is kept; another one is measured anew
GREY, WHITE = (128, 128, 128), (255, 255, 255)
THUMBNAIL = 128
LARGEST = 1024  # figures of the cut-out are taken at most at this side
BATCH = 32
SMALL = 32  # side at which pixel-near copies are looked for
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Measured:
    """One picture.

    Args:
        size: bytes of the file.
        cutout: the figures of its alpha channel.
        whole, foreground: unit features over white, and of the figure cut to its box, over grey.
        read: what the judge reads: chances of labels, styles, colours and counts, one after another.
        small: (SMALL * SMALL * 4,) premultiplied over grey, and alpha.
        thumbnail: WebP.
    """

    path: Path
    sha256: str
    size: int
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
    """A decoded picture on its way to the encoder."""

    path: Path
    sha256: str
    size: int
    rgba: NDArray[np.uint8]


def listed(folder: Path) -> list[Path]:
    """Every file of a folder that may be a picture, by name; folders in it are not entered.

    Raises:
        InputError: there is no such folder, or nothing in it.
    """
    try:
        entries = [folder] if folder.is_file() else sorted(folder.iterdir(), key=lambda path: path.name)
    except FileNotFoundError:
        raise InputError(f"no folder {folder}", "check the path") from None
    except OSError as error:
        raise InputError(f"cannot read the folder {folder}: {error.strerror}", "check its permissions") from None
    files = [path for path in entries if path.is_file() and not path.name.startswith(".") and path.name.lower() not in NOT_MEANT]
    found = [path for path in files if path.suffix.lower() in SUFFIXES or (not path.suffix and looks_like_a_picture(path))]
    if not found:
        raise InputError(f"{folder}: no picture in it", "give a folder of PNG, WebP or JPEG pictures")
    return found


def measure(paths: Sequence[Path], encoder: "Encoder", on_picture: Any = lambda count: None) -> tuple[list[Measured], list[str]]:
    """Every picture in the order of the paths, and a line for each that cannot be read."""
    folder = home() / "cache" / "evaluate" / f"{encoder.name[:40].replace('/', '-')}-{encoder.digest}-{VERSION}"
    make_folder(folder)
    found: dict[Path, Measured] = {}
    failed: list[str] = []
    fresh: list[Path] = []
    for path in paths:
        kept = recalled(path, folder)
        if kept is None:
            fresh.append(path)
        else:
            found[path] = kept
            on_picture(1)
    for looks in batches(fresh, failed, on_picture):
        for measured in encoded(looks, encoder):
            keep(measured, folder)
            found[measured.path] = measured
            on_picture(1)
    return [found[path] for path in paths if path in found], failed


def batches(paths: Sequence[Path], failed: list[str], on_picture: Any) -> Iterator[list[Look]]:
    """Decoded pictures, a few at a time."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for start in range(0, len(paths), BATCH):
            looks = []
            for result in pool.map(look, paths[start : start + BATCH]):
                if isinstance(result, str):
                    failed.append(result)
                    on_picture(1)
                else:
                    looks.append(result)
            if looks:
                yield looks


def look(path: Path) -> Look | str:
    """A decoded picture, or why it cannot be had."""
    try:
        picture = read_picture(path)
        content = path.read_bytes()
        return Look(path, picture.sha256, len(content), decoded(content)[0])
    except (InputError, OSError) as error:
        return error.message if isinstance(error, InputError) else f"{path.name}: {error.strerror}"


def encoded(looks: Sequence[Look], encoder: "Encoder") -> Iterator[Measured]:
    """The figures of some pictures."""
    from stickerforge.models.encoders import JudgeEncoder
    from stickerforge.stickers.encoding import recipe_of

    images = [Image.fromarray(item.rgba) for item in looks]
    whole, foreground = encoder.images(images, WHITE), encoder.images([boxed(image) for image in images], GREY)
    read = readings(encoder, images) if isinstance(encoder, JudgeEncoder) else np.zeros((len(images), 0), np.float32)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        figures = list(pool.map(cutout_of, images))
    for number, item in enumerate(looks):
        try:
            recipe = recipe_of(item.path) or {}
        except (OSError, ValueError):
            recipe = {}
        yield Measured(
            item.path, item.sha256, item.size, images[number].size, figures[number], whole[number], foreground[number], read[number],
            small(images[number]), thumbnail(images[number]), {key: recipe[key] for key in ("prompt", "seed") if key in recipe},
        )  # fmt: skip


def readings(encoder: Any, images: Sequence[Image.Image]) -> Floats:
    """Chances of labels, styles, colours and counts, (N, all of them)."""
    import torch

    judge = encoder.judge
    read = judge.read(judge.pictures(images, WHITE))
    parts = [read.presence.sigmoid(), read.style.softmax(1), read.colours.sigmoid(), read.count.softmax(1)]
    found: Floats = torch.cat(parts, 1).numpy()
    return found


def boxed(image: Image.Image) -> Image.Image:
    """The part of a picture that is visible."""
    box = image.getchannel("A").point(lambda value: 255 if value > 25 else 0).getbbox()
    return image.crop(box) if box else image


def cutout_of(image: Image.Image) -> dict[str, float]:
    """The figures of the alpha channel, of a large picture at a smaller size."""
    if max(image.size) > LARGEST:
        image = image.convert("RGBa")
        image.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
        image = image.convert("RGBA")
    return asdict(cutout(np.asarray(image)))


def small(image: Image.Image) -> Floats:
    """What pixel-near copies are told by."""
    planes = np.asarray(image.convert("RGBa").resize((SMALL, SMALL), Image.Resampling.BOX), np.float32) / 255
    over_grey = planes[..., :3] + 0.5 * (1 - planes[..., 3:])
    return np.concatenate([over_grey, planes[..., 3:]], -1).ravel()


def thumbnail(image: Image.Image) -> bytes:
    """A small WebP with alpha."""
    copy = image.convert("RGBa")
    copy.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS, reducing_gap=3.0)
    stream = io.BytesIO()
    copy.convert("RGBA").save(stream, "WEBP", quality=80, method=2)
    return stream.getvalue()


def keep(measured: Measured, folder: Path) -> None:
    """Write what was measured under the picture's hash."""
    facts = {"size": measured.size, "pixels": measured.pixels, "cutout": measured.cutout, "recipe": measured.recipe}
    stream = io.BytesIO()
    arrays = {"whole": measured.whole, "foreground": measured.foreground, "small": measured.small.astype(np.float16)}
    arrays |= {"read": measured.read.astype(np.float16), "thumbnail": np.frombuffer(measured.thumbnail, np.uint8)}
    np.savez(stream, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8), **arrays)  # type: ignore[arg-type]
    write_whole(folder / f"{measured.sha256}.npz", stream.getvalue(), durable=False)


def recalled(path: Path, folder: Path) -> Measured | None:
    """What is kept of this very content, if anything that can be read is."""
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        with np.load(folder / f"{digest}.npz", allow_pickle=False) as kept:
            facts = json.loads(kept["facts"].tobytes())
            return Measured(
                path, digest, facts["size"], tuple(facts["pixels"]), facts["cutout"], kept["whole"], kept["foreground"],
                kept["read"].astype(np.float32), kept["small"].astype(np.float32), kept["thumbnail"].tobytes(), facts["recipe"],
            )  # fmt: skip
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
