"""Black lines as a generator draws them: bent, soft, of uneven width, broken."""

import numpy as np
from PIL import Image
from scipy import ndimage

from examples.experiments.style_tailoring.line_features import luma_over_white

BEND, BEND_REACH = (0.5, 2.5), 8.0  # pixels by which lines are moved, and over which that changes
BLUR = (0.4, 1.3)  # pixels
UNEVEN, UNEVEN_REACH = (0.0, 0.3), 3.0  # of white; pixels


def roughen_lines(picture: Image.Image, seed: int) -> Image.Image:
    """A picture in black and clear, drawn by an unsteady hand; grey on white."""
    rng = np.random.default_rng(seed)
    grey = luma_over_white(picture)
    rows, columns = np.indices(grey.shape).astype(float)
    size = rng.uniform(*BEND)
    places = [axis + size * smooth_noise(rng, grey.shape, BEND_REACH) for axis in (rows, columns)]
    bent = ndimage.map_coordinates(grey, places, order=1, mode="constant", cval=1.0)
    soft = ndimage.gaussian_filter(bent, rng.uniform(*BLUR))
    near = ndimage.gaussian_filter(1 - soft, 2.0) > 0.02  # the ground stays clean
    soft = soft + near * rng.uniform(*UNEVEN) * smooth_noise(rng, grey.shape, UNEVEN_REACH)
    return Image.fromarray(np.uint8(255 * soft.clip(0, 1)))


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, ...], reach: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Normal noise of deviation 1 that changes over so many pixels."""
    noise = ndimage.gaussian_filter(rng.normal(size=shape), reach)
    return np.asarray(noise / noise.std())
