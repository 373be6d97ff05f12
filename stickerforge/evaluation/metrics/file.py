"""The files themselves: their size, and the platforms that take them as they are."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from stickerforge.evaluation.metrics.base import MetricInput, metric
from stickerforge.stickers.platforms import PLATFORMS, Platform


@metric("bytes", group="size", better="lower", unit="B", about="size of the file", axis=True)
def file_bytes(data: MetricInput) -> NDArray[np.float64]:
    """Size of each file in bytes, (N,)."""
    return np.array([float(item.file_bytes) for item in data.pictures])


def platform_fit(platform: Platform, data: MetricInput) -> NDArray[np.float64]:
    """1 for each file that a platform takes as it is, else 0, (N,)."""
    return np.array(
        [
            float(platform.takes(item.file_format, item.pixels, item.file_bytes))
            for item in data.pictures
        ]
    )


for option in PLATFORMS:
    declare = metric(
        f"fits_{option.name}",
        group="size",
        better="higher",
        about=option.about,
        passes=True,
        paired=True,
    )
    declare(partial(platform_fit, option))
