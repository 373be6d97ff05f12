"""The colours of a soft edge: those of the figure beside it.

A decoder lets colour fade a little sooner than alpha, so the edge of what it draws is darker than
the figure: a grey rim on a light ground.

`premultiplied` is float32 (H, W, 4) in [0, 1].
"""

import numpy as np

from stickerforge.stickers.alpha import (
    Premultiplied,
    bleed_colors,
    dilate,
    merge_channels,
    unpremultiply,
)

SOLID = 0.9  # alpha from which a pixel's colour is the figure's own
REACH_PX = 2  # how far an edge reaches, from what is clear and from what is solid


def clean_edges(premultiplied: Premultiplied) -> Premultiplied:
    """The picture with the colours of its solid pixels laid over the soft edge beside them.

    Alpha stays the very same. So does the colour of what is translucent away from the outline, and
    of what has nothing solid near, as whiskers have not.
    """
    alpha = premultiplied[..., 3]
    solid, outside, inside = alpha >= SOLID, alpha <= 0, alpha >= SOLID
    for _ in range(REACH_PX):
        outside, inside = dilate(outside), dilate(inside)
    edge = ~solid & outside & inside
    if not edge.any():
        return premultiplied
    rgba = unpremultiply(premultiplied)
    rgba[..., 3] = np.where(solid, 255, 0)
    own = bleed_colors(rgba, REACH_PX)[..., :3] / np.float32(255) * alpha[..., None]
    return merge_channels(np.where(edge[..., None], own, premultiplied[..., :3]), alpha)
