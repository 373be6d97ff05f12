"""Everything that is measured of one picture, once per content: kept under its hash, so that a second look costs nothing."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stickerforge.errors import InputError
from stickerforge.evaluation.cache import feature_folder, read_features, write_features
from stickerforge.evaluation.image_set import (
    GREY,
    WHITE,
    Advance,
    FeatureSet,
    ImageFeatures,
    LoadedImage,
    crop_to_visible,
    downsample,
    load_batches,
    prompt_params,
    thumbnail,
)
from stickerforge.evaluation.metrics.cutout import measure_cutout
from stickerforge.runtime.console import Console

if TYPE_CHECKING:
    from stickerforge.models.encoders import Encoder


def compute_sets(
    paths: Mapping[str, list[Path]], asked: "Encoder", console: Console
) -> tuple[dict[str, list[ImageFeatures]], list[str]]:
    """Every folder measured; a set of which nothing can be read is an error.

    Raises:
        InputError: no picture of a folder can be read.
    """
    sets, failed = {}, []
    with console.progress("measuring", sum(map(len, paths.values()))) as advance:
        for role, files in paths.items():
            found = compute_features(files, asked, advance)
            if not found.pictures:
                raise InputError(
                    f"{files[0].parent}: none of its {len(files)} pictures can be read: {found.failed[0]}",
                    "mend or replace them",
                )
            sets[role] = found.pictures
            failed += found.failed
            for note in found.notes[:8]:
                console.warn(note)
    return sets, failed


def compute_features(
    paths: Sequence[Path], encoder: "Encoder", on_picture: Advance = lambda count: None
) -> FeatureSet:
    """Measure what is not known yet."""
    folder = feature_folder(encoder)
    found: dict[Path, ImageFeatures] = {}
    result = FeatureSet([], [], [])
    fresh: list[Path] = []
    for path in paths:
        kept = read_features(path, folder) if folder else None
        if kept is None:
            fresh.append(path)
        else:
            found[path] = kept
            on_picture(1)
    for looks in load_batches(fresh, result, on_picture):
        for measured in encode_images(looks, encoder):
            folder = write_features(measured, folder) if folder else None
            found[measured.path] = measured
            on_picture(1)
    result.pictures = [found[path] for path in paths if path in found]
    return result


def encode_images(looks: Sequence[LoadedImage], encoder: "Encoder") -> Iterator[ImageFeatures]:
    """The figures of some pictures."""
    from stickerforge.models.encoders import JudgeEncoder

    images = [item.image for item in looks]
    if isinstance(encoder, JudgeEncoder):
        whole, read = encoder.examined(images, WHITE)
    else:
        whole, read = encoder.images(images, WHITE), np.zeros((len(images), 0), np.float32)
    foreground = encoder.images([crop_to_visible(image) for image in images], GREY)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        figures = list(pool.map(lambda image: asdict(measure_cutout(np.asarray(image))), images))
    for number, item in enumerate(looks):
        yield ImageFeatures(
            item.path,
            item.sha256,
            item.size,
            item.form,
            item.pixels,
            figures[number],
            whole[number],
            foreground[number],
            read[number],
            downsample(images[number]),
            thumbnail(images[number]),
            prompt_params(item.path),
        )
