"""From the pictures of folders to their features, each computed once per content."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stickerforge.data.pictures import read_content
from stickerforge.errors import InputError
from stickerforge.evaluation.cache import Arrays, Cache
from stickerforge.evaluation.features import VERSION, ImageFeatures, from_arrays, to_arrays
from stickerforge.evaluation.image_set import (
    WORKERS,
    Advance,
    LoadedImage,
    crop_to_visible,
    load_batches,
    prompt_params,
    reduce_pixels,
    thumbnail,
)
from stickerforge.evaluation.metrics.cutout import MEASURES, measure_cutout
from stickerforge.runtime.console import Console
from stickerforge.stickers.color import WHITE

if TYPE_CHECKING:
    from stickerforge.models.encoders import Encoder

GREY = (128, 128, 128)  # ground of foregrounds: neither light nor dark ones vanish on it
NOTES = 8  # on how pictures of a folder were read, at most


@dataclass
class FeatureSet:
    """The pictures of a folder.

    Args:
        pictures: in the order of their paths.
        failed: a line for each picture that cannot be read.
        notes: on how others were read.
    """

    pictures: list[ImageFeatures]
    failed: list[str]
    notes: list[str]


def extract_sets(
    paths: Mapping[str, list[Path]], encoder: "Encoder", console: Console
) -> tuple[dict[str, list[ImageFeatures]], list[str]]:
    """({role: features of its pictures}, a line for each picture that cannot be read).

    Raises:
        InputError: no picture of a folder can be read.
    """
    sets, failed = {}, []
    with console.progress("measuring", sum(map(len, paths.values()))) as advance:
        for role, files in paths.items():
            result = extract_features(files, encoder, advance)
            if not result.pictures:
                raise InputError(
                    f"{files[0].parent}: none of its {len(files)} pictures can be read: "
                    f"{result.failed[0]}",
                    "mend or replace them",
                )
            sets[role] = result.pictures
            failed += result.failed
            for note in result.notes[:NOTES]:
                console.warn(note)
    return sets, failed


def extract_features(
    paths: Sequence[Path], encoder: "Encoder", on_picture: Advance = lambda count: None
) -> FeatureSet:
    """The features of pictures, from the cache where it has them."""
    cache = Cache(encoder.name, encoder.digest, VERSION)
    features: dict[Path, ImageFeatures] = {}
    result = FeatureSet([], [], [])
    missing: list[Path] = []
    for path in paths:
        entry = read_features(path, cache)
        if entry is None:
            missing.append(path)
        else:
            features[path] = entry
            on_picture(1)
    for outcomes in load_batches(missing):
        errors = [outcome for outcome in outcomes if isinstance(outcome, str)]
        result.failed += errors
        on_picture(len(errors))
        images = [outcome for outcome in outcomes if isinstance(outcome, LoadedImage)]
        result.notes += [image.note for image in images if image.note]
        for item in encode_images(images, encoder) if images else ():
            cache.write(item.sha256, to_arrays(item))
            features[item.path] = item
            on_picture(1)
    result.pictures = [features[path] for path in paths if path in features]
    return result


def read_features(path: Path, cache: Cache) -> ImageFeatures | None:
    """What the cache holds of this very content; None where a measure has come in since."""
    try:
        digest = hashlib.sha256(read_content(path)).hexdigest()
    except InputError:
        return None

    def decode(arrays: Arrays) -> ImageFeatures:
        return from_arrays(path, digest, arrays)

    entry = cache.read(digest, decode)
    return entry if entry and entry.cutout.keys() == MEASURES.keys() else None


def encode_images(images: Sequence[LoadedImage], encoder: "Encoder") -> Iterator[ImageFeatures]:
    """The features of some decoded pictures."""
    pictures = [item.image for item in images]
    full, readings = encoder.examine(pictures, WHITE)
    foregrounds = encoder.images([crop_to_visible(picture) for picture in pictures], GREY)
    with ThreadPoolExecutor(WORKERS) as pool:
        cutouts = list(pool.map(lambda picture: measure_cutout(np.asarray(picture)), pictures))
    for number, item in enumerate(images):
        yield ImageFeatures(
            item.path,
            item.sha256,
            item.file_bytes,
            item.file_format,
            item.pixels,
            cutouts[number],
            full[number],
            foregrounds[number],
            readings[number],
            reduce_pixels(item.image),
            thumbnail(item.image),
            prompt_params(item.path),
        )
