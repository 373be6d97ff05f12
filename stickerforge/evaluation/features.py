"""Everything that metrics need to know of one picture, and its form in the cache."""

import json
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stickerforge.evaluation.cache import Arrays
from stickerforge.evaluation.image_set import LoadedImage, load_image
from stickerforge.runtime.json_text import parse_json

Floats = NDArray[np.float32]
VERSION = 5  # of an entry in the cache; another one is computed anew


@dataclass(frozen=True)
class ImageFeatures:
    """One picture.

    Args:
        file_format: as Pillow calls it.
        pixels: (width, height) of the file.
        cutout: what was measured of its alpha channel, by metric.
        full: unit features of the picture over white, (D,).
        foreground: unit features of what is visible, cut to its box, over grey, (D,).
        readings: the judge's chances of labels, styles, colours and counts, one after another;
            empty for other encoders.
        reduced_pixels: `image_set.reduce_pixels`.
        thumbnail: WebP.
        params: what of its parameters says what it was to show: "prompt", "text", "style", "seed".
    """

    path: Path
    sha256: str
    file_bytes: int
    file_format: str
    pixels: tuple[int, int]
    cutout: dict[str, float]
    full: Floats
    foreground: Floats
    readings: Floats
    reduced_pixels: Floats
    thumbnail: bytes
    params: dict[str, Any]


def reload_image(item: ImageFeatures, failed: list[str]) -> Image.Image | None:
    """A picture that was read before, decoded once more; None if it has gone or changed since.

    Args:
        failed: where a line about it goes then, once.
    """
    result = load_image(item.path)
    if isinstance(result, LoadedImage) and result.sha256 == item.sha256:
        return result.image
    changed = f"{item.path.name}: it changed while it was measured"
    line = result if isinstance(result, str) else changed
    if line not in failed:
        failed.append(line)
    return None


def to_arrays(item: ImageFeatures) -> Arrays:
    """The entry of a picture in the cache."""
    facts = {
        "size": item.file_bytes,
        "form": item.file_format,
        "pixels": item.pixels,
        "cutout": {name: None if isnan(x) else x for name, x in item.cutout.items()},
        "recipe": item.params,
    }
    return {
        "whole": item.full,
        "foreground": item.foreground,
        "read": item.readings,
        "small": item.reduced_pixels.astype(np.float16),
        "thumbnail": np.frombuffer(item.thumbnail, np.uint8),
        "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8),
    }


def from_arrays(path: Path, sha256: str, arrays: Arrays) -> ImageFeatures:
    """The picture of an entry.

    Raises:
        KeyError, ValueError, TypeError: it is something else.
    """
    facts = parse_json(arrays["facts"].tobytes())
    width, height = facts["pixels"]
    return ImageFeatures(
        path,
        sha256,
        file_bytes=facts["size"],
        file_format=facts["form"],
        pixels=(width, height),
        cutout={name: nan if x is None else x for name, x in facts["cutout"].items()},
        full=arrays["whole"],
        foreground=arrays["foreground"],
        readings=arrays["read"],
        reduced_pixels=arrays["small"].astype(np.float32),
        thumbnail=arrays["thumbnail"].tobytes(),
        params=facts["recipe"],
    )
