"""Edges are those of OpenCV, to the pixel."""

import hashlib

import numpy as np
import pytest

from stickerforge.stickers.canny import canny_edges


def drawing(rounds):
    """Random colours, 60 x 80, smoothed so many times."""
    planes = np.random.default_rng(rounds).integers(0, 256, (60, 80, 3), np.uint8).astype(np.int64)
    for _ in range(rounds):
        planes = (np.roll(planes, 1, 0) + np.roll(planes, 1, 1) + planes * 2) // 4
    low, high = planes.min(), planes.max()
    return ((planes - low) * 255 // (high - low)).astype(np.uint8)


@pytest.mark.parametrize(
    ("rounds", "count", "digest"),
    [
        (0, 1778, "343e6f9b25c01fad"),
        (2, 1838, "772be0df82561d33"),
        (4, 1838, "021820f6b87e4dfe"),
        (8, 1781, "af0734009c467b5e"),
    ],
)
def test_edges_are_those_of_opencv(rounds, count, digest):
    """Of `cv2.Canny(drawing(rounds), 100, 200)` in OpenCV 5.0.0."""
    edges = canny_edges(drawing(rounds))
    assert set(np.unique(edges)) == {0, 255} and (edges > 0).sum() == count
    packed = np.packbits(edges > 0).tobytes()
    assert hashlib.sha256(packed).hexdigest()[:16] == digest


def test_a_square_has_a_thin_outline_and_a_plain_picture_none():
    planes = np.full((32, 32, 3), 255, np.uint8)
    assert not canny_edges(planes).any()
    planes[8:24, 8:24] = 0
    edges = canny_edges(planes) > 0
    assert not edges[11:21, 11:21].any() and not edges[:6].any()
    assert (edges[12:20].sum(1) == 2).all(), "one pixel on each side"


def test_an_edge_goes_on_where_it_is_faint_and_begins_where_it_is_strong():
    faint = np.zeros((20, 20, 1), np.uint8)
    faint[:, 10:] = 40  # a gradient of 160
    assert not canny_edges(faint).any()
    faint[:4, 10:] = 80
    assert (canny_edges(faint)[8:] > 0).any(1).all()


@pytest.mark.parametrize("shape", [(1, 1, 4), (1, 9, 3), (9, 2, 4)])
def test_small_pictures(shape):
    assert canny_edges(np.zeros(shape, np.uint8)).shape == shape[:2]
