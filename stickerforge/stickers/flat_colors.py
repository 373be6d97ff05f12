"""Flat colours for styles that have no shading: every area of a figure in one ink.

A denoiser paints an even area a little unevenly, which a flat style shows as clouds. Here the colours of a figure are grouped, and
each pixel takes the nearest of the groups; what is flat already hardly changes. Where the inks of the style are known, groups near to
one of them are printed in it, as all drawings of a set share their colours.

`premultiplied` is float32 (H, W, 4) in [0, 1]; `colours` are CIELAB, (N, 3).
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage
from scipy.spatial.distance import cdist

from stickerforge.stickers.alpha import Premultiplied, unpremultiply
from stickerforge.stickers.color import Floats, lab
from stickerforge.stickers.upscale import resize, upscale

METHOD = 1  # changes when the same picture would come out otherwise
SMALL = 256  # pictures up to this side are worked on at twice their size, where edges have pixels to lie between
GROUPS, ROUNDS = (
    24,
    8,
)  # colours that are looked for at first, and how often they are moved to the middle of theirs
ALIKE = 10.0  # groups closer than this (CIELAB) are one ink
NEAR = 15.0  # a group takes an ink of the style that is closer than this
LEAST = 0.0015  # share of the figure that an ink needs
SAMPLE = 4000  # pixels that are grouped
REACH_PX = 5  # side of the neighbourhood that blotches are smoothed over
ROUND_PX, SHARP = (
    1.5,
    4,
)  # deviation of the blur that evens the outlines of areas, and the power that leaves a pixel of it
VISIBLE = 0.1  # alpha from which a pixel has a colour
OPEN = 0.02  # share that is transparent from which a picture is cut out
BORDER_PX = 2  # pixels along the edge, whose colours are mixed with what was behind


def palette_from_codes(codes: Sequence[str]) -> NDArray[np.uint8]:
    """Colours as "rrggbb" in numbers, (N, 3)."""
    return np.array([tuple(bytes.fromhex(code)) for code in codes], np.uint8).reshape(-1, 3)


def palette_digest(codes: Sequence[str]) -> str:
    """Eight hexadecimal digits that change when flat colours would: of the inks and of the method."""
    return hashlib.sha256(" ".join([str(METHOD), *codes]).encode()).hexdigest()[:8]


def flatten_and_upscale(
    premultiplied: Premultiplied, side_px: int, style: NDArray[np.uint8]
) -> Premultiplied:
    """`enlarged`, in flat colours, with the very alpha that it would have otherwise."""
    done, flat = upscale(premultiplied, side_px), flatten(premultiplied, style)
    if flat is premultiplied:
        return done
    alpha = done[..., 3:]
    return np.concatenate(
        [unpremultiply(resize(flat, side_px))[..., :3] / np.float32(255) * alpha, alpha], -1
    )


def flatten(premultiplied: Premultiplied, style: NDArray[np.uint8]) -> Premultiplied:
    """A cut-out picture in flat colours, at twice its size where it is small.

    One that fills its square comes back as it is, since grounds may fade; so does one that has no solid part.

    Args:
        style: the inks of its style, (N, 3); none where they are not known.
    """
    side = max(premultiplied.shape[:2])
    large = resize(premultiplied, 2 * side) if side <= SMALL else premultiplied
    alpha, colours = large[..., 3:], unpremultiply(large)[..., :3]
    solid = alpha[..., 0] > 0.5
    if not solid.any() or solid.mean() > 1 - OPEN:
        return premultiplied
    seen = own_color_mask(alpha[..., 0] > VISIBLE)
    smooth = lab(np.asarray(Image.fromarray(colours).filter(ImageFilter.MedianFilter(REACH_PX))))
    groups = cluster_colors(smooth[seen])
    groups = groups[np.unique(nearest(smooth[seen], groups))]
    ink = nearest(smooth.reshape(-1, 3), groups).reshape(seen.shape)
    printed = np.stack(
        [np.median(colours[seen & (ink == group)], 0) for group in range(len(groups))]
    )
    often = np.bincount(ink[seen], minlength=len(groups))
    return np.concatenate(
        [smooth_areas(ink, snap_to_palette(printed, often, style) / 255) * alpha, alpha], -1
    ).astype(np.float32)


def own_color_mask(visible: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels (H, W) of a figure that have its own colours: all but its border, and all of a part that is nothing but border."""
    core = ndimage.binary_erosion(visible, iterations=BORDER_PX)
    near = ndimage.binary_dilation(core, iterations=2 * BORDER_PX) if core.any() else core
    found: NDArray[np.bool_] = core | (visible & ~near)
    return found


def smooth_areas(ink: NDArray[np.intp], colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Areas (H, W) of inks in their colours (count, 3), (H, W, 3), with even, soft outlines and no slivers where two colours mixed."""
    total, found = np.zeros(ink.shape), np.zeros((*ink.shape, 3))
    for group, colour in enumerate(colours):
        share = ndimage.gaussian_filter((ink == group).astype(np.float32), ROUND_PX) ** SHARP
        total += share
        found += share[..., None] * colour
    return found / total[..., None]


def snap_to_palette(
    colours: NDArray[np.float64], often: NDArray[np.intp], style: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Colours (M, 3) in 0 to 255, those near an ink of the style replaced by it.

    Several may have the same one where they are near to the commonest of them, too: they are clouds of one area. Others keep their colour.
    """
    found, first = colours.copy(), dict[int, int]()
    if not len(style):
        return found
    own = lab(colours)
    away, between = cdist(own, lab(style)), cdist(own, own)
    for colour in np.argsort(-often, kind="stable"):
        ink = int(away[colour].argmin())
        if away[colour, ink] < NEAR and between[colour, first.setdefault(ink, int(colour))] < NEAR:
            found[colour] = style[ink]
    return found


def nearest(colours: Floats, groups: Floats) -> NDArray[np.intp]:
    """Which of the groups is nearest to each colour, (N,)."""
    found: NDArray[np.intp] = cdist(colours, groups, "sqeuclidean").argmin(1)
    return found


def cluster_colors(colours: Floats) -> Floats:
    """The few colours that colours are made of: k-means from those that lie farthest apart, then groups that are alike joined."""
    sample = np.random.default_rng(0).permutation(colours)[:SAMPLE]
    groups = sample.mean(0, keepdims=True)
    while len(groups) < GROUPS:
        away = cdist(sample, groups).min(1)
        if away.max() < ALIKE / 2:
            break
        groups = np.concatenate([groups, sample[away.argmax()][None]])
    for _ in range(ROUNDS):
        own = nearest(sample, groups)
        groups = np.stack([sample[own == group].mean(0) for group in np.unique(own)])
    present, counts = np.unique(nearest(sample, groups), return_counts=True)
    groups, often = merge_similar(groups[present], counts.astype(float))
    found: Floats = groups[often >= LEAST * often.sum()]
    return found


def merge_similar(groups: Floats, often: NDArray[np.float64]) -> tuple[Floats, NDArray[np.float64]]:
    """Groups and their sizes, with those that are alike replaced by their mean, the nearest first."""
    while len(groups) > 1:
        distance = cdist(groups, groups)
        np.fill_diagonal(distance, np.inf)
        first, second = divmod(int(distance.argmin()), len(groups))
        if distance[first, second] >= ALIKE:
            break
        both = often[first] + often[second]
        groups[first] = (groups[first] * often[first] + groups[second] * often[second]) / both
        often[first] = both
        groups, often = np.delete(groups, second, 0), np.delete(often, second)
    return groups, often
