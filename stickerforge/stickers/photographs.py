"""Whether a picture is a photograph or a drawing, told from its pixels; needs no model.

A drawing is made of areas: a small block of it that is not of one colour holds two, and what is
between them is a narrow edge; untouched by JPEG, its pixels repeat their neighbours' very colours.
In a photograph light, texture and grain leave every block with many tones, and neighbours differ.
Grounds of one colour, soft gradients, noise and the traces of JPEG do not count, since only blocks
with a clear contrast are looked at; nor does what is half transparent.

Blocks are float32 colours of 0 to 255, (N, SIDE², 3); N may be any number.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stickerforge.stickers.alpha import Rgba

WORKING_SIDE = 192  # of the longer side; finer detail is grain, and JPEG's blocks are averaged out
SIDE = 8  # of a block in pixels
CONTRAST = 12.0  # standard deviation in 0 to 255, all channels together, from which a block counts
FEWEST = 8  # blocks that must count for anything to be said
OPAQUE = 250  # alpha above which nothing shines through
# Weight of roughness beside the residue, and the sum from which a picture is a photograph: a
# logistic regression on photographs, drawings and what JPEG, scanners and scissors made of them.
ROUGHNESS, LIMIT = 0.8, 0.3
# Share of equal neighbours above which a picture is a drawing; 50 photographs have at most 0.16.
EQUAL = 0.17
MOST = 4096  # blocks that are looked at
ROUNDS = 4  # of Lloyd's iteration, which seldom needs more for two colours

Blocks = NDArray[np.float32]


def is_photograph(rgba: Rgba) -> bool:
    """Whether a picture, uint8 (H, W, 4), is a photograph, or one that was cut out."""
    blocks = contrasting_blocks(opaque_blocks(working_size(rgba)))
    if len(blocks) < FEWEST or equal_neighbors(rgba) > EQUAL:
        return False
    score = np.median(two_color_residue(blocks)) + ROUGHNESS * np.median(roughness(blocks))
    return bool(score > LIMIT)


def working_size(rgba: Rgba) -> Rgba:
    """A picture whose longer side is WORKING_SIDE."""
    height, width = rgba.shape[:2]
    scale = WORKING_SIDE / max(height, width)
    size = max(SIDE, round(width * scale)), max(SIDE, round(height * scale))
    small = Image.fromarray(rgba).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(small)


def opaque_blocks(rgba: Rgba) -> Blocks:
    """The blocks of a picture in which nothing is transparent; of many an even selection."""
    rows, columns = rgba.shape[0] // SIDE, rgba.shape[1] // SIDE
    planes = rgba[: rows * SIDE, : columns * SIDE]
    tiles = planes.reshape(rows, SIDE, columns, SIDE, 4).swapaxes(1, 2).reshape(-1, SIDE**2, 4)
    tiles = tiles[:: 1 + len(tiles) // MOST]
    return tiles[(tiles[..., 3] > OPAQUE).all(1)][..., :3].astype(np.float32)


def equal_neighbors(rgba: Rgba) -> float:
    """The share of neighbours of the very same colour in contrasting blocks as the file has them.

    Areas that JPEG or a resize has not touched repeat their colour; light and grain never do.
    """
    tiles = contrasting_blocks(opaque_blocks(rgba)).reshape(-1, SIDE, SIDE, 3)
    if len(tiles) < FEWEST:
        return 0.0
    return float(np.mean([(np.diff(tiles, axis=axis) == 0).all(3).mean() for axis in (1, 2)]))


def contrasting_blocks(blocks: Blocks) -> Blocks:
    """Those that are not of one colour, less their mean colour."""
    centred: Blocks = blocks - blocks.mean(1, keepdims=True)
    return centred[variance(centred) > CONTRAST**2]


def variance(centred: Blocks) -> NDArray[np.float32]:
    """Of each block whose mean is 0, over all channels, (N,)."""
    total: NDArray[np.float32] = np.square(centred).sum(2).mean(1)
    return total


def two_color_residue(centred: Blocks) -> NDArray[np.float32]:
    """The share of the variance of each block that the two best colours leave, 0 to 1, (N,).

    They divide the block along its principal axis, at the middle of both (Lloyd's iteration).
    """
    covariance = np.einsum("npi,npj->nij", centred, centred)
    axis = np.linalg.eigh(covariance)[1][..., -1]
    along = np.einsum("npi,ni->np", centred, axis)
    middle = np.zeros((len(along), 1), np.float32)
    for _ in range(ROUNDS):
        upper = along > middle
        middle = ((masked_mean(along, upper) + masked_mean(along, ~upper)) / 2).astype(np.float32)
    fit = np.zeros_like(centred)
    for mask in (along > middle, along <= middle):
        share = mask[..., None]
        color = (centred * share).sum(1, keepdims=True) / np.maximum(share.sum(1, keepdims=True), 1)
        fit += (share * color).astype(np.float32)
    return (variance(centred - fit) / variance(centred)).astype(np.float32)


def masked_mean(values: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The mean of each row's values under a mask, (N, 1); 0 where there are none."""
    counts = np.maximum(mask.sum(1, keepdims=True), 1)
    mean: NDArray[np.float32] = ((values * mask).sum(1, keepdims=True) / counts).astype(np.float32)
    return mean


def roughness(centred: Blocks) -> NDArray[np.float32]:
    """The squared difference of neighbours in each block, as a share of what it is in noise, (N,).

    Noise has 1; a smooth change and one edge across the block have a tenth.
    """
    tiles = centred.reshape(-1, SIDE, SIDE, 3)
    steps = [np.square(np.diff(tiles, axis=axis)).sum(3).mean((1, 2)) for axis in (1, 2)]
    rough: NDArray[np.float32] = (steps[0] + steps[1]) / (4 * variance(centred))
    return rough
