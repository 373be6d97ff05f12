import numpy as np
import pytest
from PIL import Image

from stickerforge.stickers.alpha import bleed_colors, premultiply, snap_alpha, unpremultiply
from stickerforge.stickers.upscale import resize, sharpen_edges, upscale


def disc(side=64, colour=(200, 40, 90)):
    """A soft-edged disc, straight alpha."""
    rows, columns = np.mgrid[:side, :side] + 0.5
    alpha = np.clip(side / 3 - np.hypot(rows - side / 2, columns - side / 2) + 0.5, 0, 1)
    rgba = np.zeros((side, side, 4), np.uint8)
    rgba[..., :3], rgba[..., 3] = colour, (alpha * 255).round()
    return rgba


def test_straight_and_premultiplied_undo_each_other():
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 256, (32, 32, 4), np.uint8)
    back = unpremultiply(premultiply(rgba))
    seen = rgba[..., 3] > 0
    assert np.array_equal(back[..., 3], rgba[..., 3])
    assert np.abs(back[seen].astype(int) - rgba[seen]).max() <= 1


@pytest.mark.parametrize("resize", [resize, upscale])
@pytest.mark.parametrize("ground", [(0, 0, 0), (255, 255, 255), (0, 200, 0)])
def test_enlarging_shows_no_halo(ground, resize):
    """Composited on any ground, the edge holds only mixtures of the sticker's colour and the ground."""
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


def test_colours_lie_under_transparent_pixels():
    rgba = disc()
    rgba[rgba[..., 3] == 0] = 0
    assert np.array_equal(bleed_colors(rgba)[..., 3], rgba[..., 3])
    assert (bleed_colors(rgba)[..., :3] == (200, 40, 90)).all()


@pytest.mark.parametrize("alpha", [0, 255])
def test_nothing_to_bleed(alpha):
    plain = np.full((4, 4, 4), (9, 9, 9, alpha), np.uint8)
    assert np.array_equal(bleed_colors(plain), plain)


def test_settling_clears_a_haze_and_fills_what_is_nearly_solid():
    haze = np.full((2, 2, 4), 0.01, np.float32)
    solid = np.array([[[0.5, 0.5, 0.5, 0.99]]], np.float32)
    assert (snap_alpha(haze) == 0).all()
    assert snap_alpha(solid)[0, 0, 3] == 1
    np.testing.assert_allclose(snap_alpha(solid)[0, 0, :3], 0.5 / 0.99, rtol=1e-5)


def test_a_settled_picture_has_no_colour_beyond_its_alpha():
    random = np.random.default_rng(1).random((16, 16, 4)).astype(np.float32)
    result = snap_alpha(random)
    assert (result[..., :3] <= result[..., 3:] + 1e-6).all()


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
