"""What photographs have in common, made from noise."""

import numpy as np
from numpy.typing import NDArray


def photograph(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Light and texture as natural scenes have them, (height, width, 3).

    Their amplitude falls with the frequency, alike in all channels, with a little of its own.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)
    amplitude = 1 / np.maximum(np.hypot(rows, columns), 1 / max(height, width))
    shared, own = (
        np.fft.ifft2(
            np.fft.fft2(rng.normal(size=(height, width, n)), axes=(0, 1)) * amplitude[..., None],
            axes=(0, 1),
        ).real
        for n in (1, 3)
    )
    light = shared / shared.std() + 0.4 * own / own.std()
    return (128 + 50 * light).clip(0, 255).astype(np.uint8)
