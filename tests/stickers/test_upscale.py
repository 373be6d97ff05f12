import numpy as np
import pytest
from PIL import Image, ImageFilter

from stickerforge.stickers.alpha import premultiply, unpremultiply
from stickerforge.stickers.upscale import extremes, resize, sharpen_edges, upscale
from tests.stickers.drawings import disc


@pytest.mark.parametrize("resize", [resize, upscale])
@pytest.mark.parametrize("ground", [(0, 0, 0), (255, 255, 255), (0, 200, 0)])
def test_enlarging_shows_no_halo(ground, resize):
    """On any ground the edge holds only mixtures of the sticker's colour and the ground."""
    large = unpremultiply(resize(premultiply(disc()), 256))
    assert large.shape == (256, 256, 4)
    picture = Image.new("RGBA", (256, 256), (*ground, 255))
    picture.alpha_composite(Image.fromarray(large))
    alpha = large[..., 3:].astype(np.float64) / 255
    expected = alpha * np.array((200, 40, 90)) + (1 - alpha) * np.array(ground)
    assert np.abs(np.asarray(picture)[..., :3] - expected).max() <= 3


def test_enlarging_keeps_the_edge_soft():
    alpha = unpremultiply(upscale(premultiply(disc()), 256))[..., 3]
    assert ((alpha > 20) & (alpha < 235)).sum() > 400
    assert (alpha == 0).any() and (alpha == 255).any()


def test_steepening_narrows_an_edge_and_leaves_shading_alone():
    ramp = np.tile(np.linspace(0, 255, 9), (9, 1))
    blurred = np.concatenate([np.zeros((9, 8)), ramp[:, 1:8], np.full((9, 8), 255)], 1).astype(
        np.uint8
    )
    shading = np.tile(np.arange(100, 121), (9, 1)).astype(np.uint8)
    edge, shade = (
        sharpen_edges(np.repeat(plane[..., None], 4, -1))[4, :, 0].astype(int)
        for plane in (blurred, shading)
    )
    assert edge.min() >= 0 and edge.max() <= 255 and (np.diff(edge) >= 0).all()
    assert np.diff(edge).max() > np.diff(blurred[4].astype(int)).max()
    assert np.abs(shade[2:-2] - shading[4, 2:-2]).max() <= 1


@pytest.mark.parametrize("shape", [(16, 23), (2, 9), (1, 1)])
@pytest.mark.parametrize("reach_px", [3, 5])
def test_extremes_are_those_of_the_rank_filters(shape, reach_px):
    planes = np.random.default_rng(reach_px).integers(0, 256, (4, *shape), np.uint8)
    for extreme, rank in zip(
        extremes(planes, reach_px), (ImageFilter.MinFilter, ImageFilter.MaxFilter), strict=True
    ):
        expected = [Image.fromarray(plane).filter(rank(reach_px)) for plane in planes]
        assert np.array_equal(extreme, [np.asarray(plane) for plane in expected])


def test_the_layout_in_memory_changes_nothing():
    picture = premultiply(disc())
    in_rows = np.ascontiguousarray(picture)
    assert in_rows.strides != picture.strides
    assert np.array_equal(upscale(in_rows, 256), upscale(picture, 256))
    assert np.array_equal(unpremultiply(in_rows), unpremultiply(picture))
