"""Flat colours for styles that have no shading: every area of a figure in one ink.

A denoiser paints an even area a little unevenly, which a flat style shows as clouds. Here the
colours of a figure are grouped, and each pixel takes the nearest of the groups; what is flat
already hardly changes. Where the inks of the style are known, groups near to one of them are
printed in it, as all drawings of a set share their colours.

`premultiplied` is float32 (H, W, 4) in [0, 1]; CIELAB colours are float64 (N, 3).
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage
from scipy.spatial.distance import cdist

from stickerforge.stickers.alpha import Premultiplied, merge_channels, unpremultiply
from stickerforge.stickers.color import Floats, lab
from stickerforge.stickers.upscale import resize, upscale

METHOD = 1  # changes when the same picture would come out otherwise
# Pictures up to this side are worked on at twice their size, where edges have room to lie.
SMALL = 256
GROUPS = 24  # groups that k-means begins with at most
ROUNDS = 8  # of k-means
ALIKE = 10.0  # groups closer than this (CIELAB) are one ink
NEAR = 15.0  # a group takes an ink of the style that is closer than this
LEAST = 0.0015  # share of the figure that an ink needs
SAMPLE = 4000  # pixels that are grouped
REACH_PX = 5  # side of the neighbourhood that blotches are smoothed over
ROUND_PX = 1.5  # deviation of the blur that evens the outlines of areas
SHARP = 4  # power of the blurred shares, which leaves an edge about a pixel wide
VISIBLE = 0.1  # alpha from which a pixel has a colour
OPEN = 0.02  # share that is transparent from which a picture is cut out
BORDER_PX = 2  # pixels along the edge, whose colours are mixed with what was behind


def palette_from_codes(codes: Sequence[str]) -> NDArray[np.uint8]:
    """Colours as "rrggbb" in numbers, (N, 3)."""
    return np.array([tuple(bytes.fromhex(code)) for code in codes], np.uint8).reshape(-1, 3)


def palette_digest(codes: Sequence[str]) -> str:
    """Eight hexadecimal digits that change with the inks and with the method of flat colours."""
    return hashlib.sha256(" ".join([str(METHOD), *codes]).encode()).hexdigest()[:8]


def flatten_and_upscale(
    premultiplied: Premultiplied, side_px: int, palette: NDArray[np.uint8]
) -> Premultiplied:
    """What `upscale` makes of a picture, in flat colours and with the very same alpha."""
    upscaled, flat = upscale(premultiplied, side_px), flatten(premultiplied, palette)
    if flat is premultiplied:
        return upscaled
    alpha = upscaled[..., 3:]
    colors = unpremultiply(resize(flat, side_px))[..., :3] / np.float32(255)
    return merge_channels(colors * alpha, alpha[..., 0])


def flatten(premultiplied: Premultiplied, palette: NDArray[np.uint8]) -> Premultiplied:
    """A cut-out picture in flat colours, at twice its size where it is small.

    One that fills its square comes back as it is, since grounds may fade; so does one that has no
    solid part.

    Args:
        palette: the inks of its style, (N, 3); none where they are not known.
    """
    side = max(premultiplied.shape[:2])
    large = resize(premultiplied, 2 * side) if side <= SMALL else premultiplied
    alpha, colors = large[..., 3:], unpremultiply(large)[..., :3]
    solid = alpha[..., 0] > 0.5
    if not solid.any() or solid.mean() > 1 - OPEN:
        return premultiplied
    mask = own_color_mask(alpha[..., 0] > VISIBLE)
    smooth = lab(np.asarray(Image.fromarray(colors).filter(ImageFilter.MedianFilter(REACH_PX))))
    groups = cluster_colors(smooth[mask])
    groups = groups[np.unique(nearest_group(smooth[mask], groups))]
    group_of = nearest_group(smooth.reshape(-1, 3), groups).reshape(mask.shape)
    medians = np.stack(
        [np.median(colors[mask & (group_of == group)], 0) for group in range(len(groups))]
    )
    counts = np.bincount(group_of[mask], minlength=len(groups))
    inks = snap_to_palette(medians, counts, palette) / 255
    areas = smooth_areas(group_of, inks)
    return merge_channels(areas * alpha, alpha[..., 0])


def own_color_mask(visible: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels (H, W) of a figure that have its own colours.

    All but its border, and all of a part that is nothing but border.
    """
    core = ndimage.binary_erosion(visible, iterations=BORDER_PX)
    near = ndimage.binary_dilation(core, iterations=2 * BORDER_PX) if core.any() else core
    mask: NDArray[np.bool_] = core | (visible & ~near)
    return mask


def smooth_areas(group_of: NDArray[np.intp], inks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Areas in their inks, (H, W, 3), with soft outlines and no slivers where two colours mixed.

    Args:
        group_of: the number of the ink of each pixel, (H, W).
        inks: (count, 3).
    """
    total, mixture = np.zeros(group_of.shape), np.zeros((3, *group_of.shape))
    reach = int(4 * ROUND_PX + 0.5)  # where the blur is cut off
    for group, box in enumerate(ndimage.find_objects(group_of + 1, len(inks))):
        if box is None:
            continue
        area = tuple(slice(max(0, side.start - reach), side.stop + reach) for side in box)
        is_group = (group_of[area] == group).astype(np.float32)
        share = ndimage.gaussian_filter(is_group, ROUND_PX)
        np.power(share, SHARP, out=share, where=(share > 0) & (share < 1))
        total[area] += share
        mixture[:, *area] += share * inks[group][:, None, None]
    return np.moveaxis(mixture / total, 0, -1)


def snap_to_palette(
    colors: NDArray[np.float64], counts: NDArray[np.intp], palette: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Colours (M, 3) in 0 to 255, those near an ink of the palette replaced by it.

    Several may take the same ink where they are near to the commonest of them, too: they are
    clouds of one area. Others keep their colour.

    Args:
        counts: pixels of each colour, (M,).
    """
    snapped, commonest = colors.copy(), dict[int, int]()  # ink -> first colour that took it
    if not len(palette):
        return snapped
    own = lab(colors)
    to_inks, between = cdist(own, lab(palette)), cdist(own, own)
    for color in np.argsort(-counts, kind="stable"):
        ink = int(to_inks[color].argmin())
        if (
            to_inks[color, ink] < NEAR
            and between[color, commonest.setdefault(ink, int(color))] < NEAR
        ):
            snapped[color] = palette[ink]
    return snapped


def nearest_group(colors: Floats, groups: Floats) -> NDArray[np.intp]:
    """The number of the group that is nearest to each colour, (N,)."""
    numbers: NDArray[np.intp] = cdist(colors, groups, "sqeuclidean").argmin(1)
    return numbers


def cluster_colors(colors: Floats) -> Floats:
    """The few CIELAB colours that colours (N, 3) are made of, (M, 3).

    k-means from the colours that lie farthest apart, then groups that are alike merged.
    """
    sample = np.random.default_rng(0).permutation(colors)[:SAMPLE]
    groups = sample.mean(0, keepdims=True)
    while len(groups) < GROUPS:
        distance = cdist(sample, groups).min(1)
        if distance.max() < ALIKE / 2:
            break
        groups = np.concatenate([groups, sample[distance.argmax()][None]])
    for _ in range(ROUNDS):
        group_of = nearest_group(sample, groups)
        groups = np.stack([sample[group_of == group].mean(0) for group in np.unique(group_of)])
    present, counts = np.unique(nearest_group(sample, groups), return_counts=True)
    groups, sizes = merge_similar(groups[present], counts.astype(float))
    merged: Floats = groups[sizes >= LEAST * sizes.sum()]
    return merged


def merge_similar(groups: Floats, sizes: NDArray[np.float64]) -> tuple[Floats, NDArray[np.float64]]:
    """Groups (M, 3) and their sizes (M,), those that are alike replaced by their weighted mean."""
    while len(groups) > 1:
        distance = cdist(groups, groups)
        np.fill_diagonal(distance, np.inf)
        first, second = divmod(int(distance.argmin()), len(groups))
        if distance[first, second] >= ALIKE:
            break
        both = sizes[first] + sizes[second]
        groups[first] = (groups[first] * sizes[first] + groups[second] * sizes[second]) / both
        sizes[first] = both
        groups, sizes = np.delete(groups, second, 0), np.delete(sizes, second)
    return groups, sizes
