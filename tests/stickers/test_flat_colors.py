import numpy as np
import pytest

from stickerforge.stickers.alpha import premultiply, unpremultiply
from stickerforge.stickers.color import lab
from stickerforge.stickers.flat_colors import (
    cluster_colors,
    flatten,
    flatten_and_upscale,
    merge_similar,
    palette_digest,
    palette_from_codes,
    snap_to_palette,
)
from stickerforge.stickers.upscale import resize, upscale

NONE = palette_from_codes(())
MEANT = [(221, 46, 68), (255, 204, 77), (41, 47, 51)]


def figure(side=96, clouds=0.0):
    """A yellow disc with a red half and a dark eye, premultiplied, and the same with clouds.

    Args:
        clouds: how far colours are off in wide blotches, of 255.
    """
    rows, columns = np.mgrid[:side, :side] + 0.5
    rgba = np.zeros((side, side, 4), np.uint8)
    rgba[..., :3] = np.where((columns > side / 2)[..., None], MEANT[0], MEANT[1])
    rgba[np.hypot(rows - side * 0.4, columns - side * 0.3) < side * 0.07, :3] = MEANT[2]
    rgba[..., 3] = 255 * np.clip(
        side * 0.4 - np.hypot(rows - side / 2, columns - side / 2) + 0.5, 0, 1
    )
    clean = premultiply(rgba)
    rng = np.random.default_rng(0)
    noise = resize(
        np.concatenate([rng.random((12, 12, 3)), np.ones((12, 12, 1))], -1).astype(np.float32), side
    )[..., :3]
    colours = (clean[..., :3] + clouds / 255 * (2 * noise - 1) * clean[..., 3:]).clip(
        0, clean[..., 3:]
    )
    return clean, np.concatenate([colours, clean[..., 3:]], -1).astype(np.float32)


def solid(picture):
    return unpremultiply(picture)[unpremultiply(picture)[..., 3] == 255][:, :3]


def test_clouds_become_areas_of_the_very_colours_that_were_meant():
    clean, cloudy = figure(clouds=14)
    assert len(np.unique(solid(cloudy), axis=0)) > 500
    flat = flatten(cloudy, NONE)
    colours, often = np.unique(solid(flat), axis=0, return_counts=True)
    assert (
        flat.shape == (192, 192, 4) and np.sort(often)[-3:].sum() > 0.85 * often.sum()
    )  # seams are mixed
    truth = resize(clean, 192)
    assert np.abs(flat - truth).mean() < 0.6 * np.abs(resize(cloudy, 192) - truth).mean()
    for colour in colours[np.argsort(-often)[:2]]:
        assert min(np.linalg.norm(lab(colour) - lab(np.array(one))) for one in MEANT) < 2
    printed = flatten(cloudy, np.array(MEANT, np.uint8))
    exact = (solid(printed)[:, None] == np.array(MEANT)).all(-1).any(1)
    assert exact.mean() > 0.9, "inks of the style that are near are taken exactly"


def test_what_is_flat_already_stays():
    clean, _ = figure()
    flat, before = unpremultiply(flatten(clean, NONE)), unpremultiply(resize(clean, 192))
    inside = before[..., 3] == 255
    changed = np.abs(flat[inside].astype(int) - before[inside]).max(-1) > 2
    rows, columns = np.where(inside)
    seam = (np.abs(columns - 96) < 8) | (np.abs(np.hypot(rows - 76.8, columns - 57.6) - 13.44) < 8)
    assert not changed[~seam].any() and changed.mean() < 0.12
    assert np.array_equal(flat[..., 3], before[..., 3])


def test_a_large_picture_keeps_its_size():
    _, cloudy = figure(side=300, clouds=14)
    assert flatten(cloudy, NONE).shape == (300, 300, 4)
    assert flatten_and_upscale(cloudy, 128, NONE).shape == (128, 128, 4)


def test_alpha_is_what_it_would_be_otherwise():
    _, cloudy = figure(side=128, clouds=14)
    small, large = flatten_and_upscale(cloudy, 128, NONE), flatten_and_upscale(cloudy, 512, NONE)
    assert np.array_equal(small[..., 3], cloudy[..., 3])
    assert (small[..., :3] <= small[..., 3:] + 1e-6).all()
    assert np.array_equal(large[..., 3], upscale(cloudy, 512)[..., 3])


@pytest.mark.parametrize("wide", [1, 2, 3])
def test_a_thin_part_keeps_its_colour(wide):
    """A balloon's string, which is nothing but border."""
    rgba = np.zeros((128, 128, 4), np.uint8)
    rows, columns = np.mgrid[:128, :128]
    rgba[np.hypot(rows - 44, columns - 64) < 32] = (*MEANT[0], 255)
    rgba[80:124, 64 : 64 + wide] = (*MEANT[2], 255)
    drawn = unpremultiply(flatten_and_upscale(premultiply(rgba), 512, NONE))
    string = drawn[360:480, 4 * 64 + 2 * wide, :3].astype(int)
    assert np.abs(string - MEANT[2]).max() < 40, string[0]


def test_a_ghost_with_dark_eyes_stays_pale():
    """Most of it lets light through, and nothing else is solid."""
    rows, columns = np.mgrid[:128, :128]
    rgba = np.zeros((128, 128, 4), np.uint8)
    rgba[np.hypot(rows - 64, columns - 64) < 50] = (170, 210, 255, 102)
    for eye in (48, 80):
        rgba[np.hypot(rows - 50, columns - eye) < 8] = (30, 30, 40, 255)
    flat = unpremultiply(flatten_and_upscale(premultiply(rgba), 128, NONE))
    np.testing.assert_allclose(flat[90, 64], (170, 210, 255, 102), atol=4)
    np.testing.assert_allclose(flat[50, 48], (30, 30, 40, 255), atol=4)


def test_a_part_that_lets_light_through_keeps_its_colour():
    clean, _ = figure()
    glass = clean.copy()
    glass[:, 60:] = glass[:, 60:, 3:] * np.array((0.2, 0.4, 0.8, 0.8), np.float32)
    colour = unpremultiply(flatten(glass, NONE))[96, 150]
    np.testing.assert_allclose(colour, (64, 128, 255, 204), atol=6)


def test_a_picture_that_fills_its_square_comes_back_as_it_is():
    fading = np.concatenate(
        [np.linspace(0, 1, 64 * 64 * 3).reshape(64, 64, 3), np.ones((64, 64, 1))], -1
    ).astype(np.float32)
    assert flatten(fading, NONE) is fading
    nothing = np.zeros((64, 64, 4), np.float32)
    assert flatten(nothing, NONE) is nothing


@pytest.mark.parametrize("count", [1, 3])
def test_figures_of_few_pixels(count):
    picture = np.zeros((40, 40, 4), np.float32)
    picture[20 : 20 + count, 20 : 20 + count] = (0.5, 0.2, 0.1, 1)
    flat = flatten_and_upscale(picture, 40, NONE)
    np.testing.assert_allclose(flat[20, 20, :3], (0.5, 0.2, 0.1), atol=0.02)


def test_a_colour_far_from_every_ink_of_the_style_stays():
    clean, _ = figure()
    kept = flatten(clean, np.array([(0, 0, 255), (250, 200, 80)], np.uint8))
    colours, often = np.unique(solid(kept), axis=0, return_counts=True)
    assert {tuple(colour) for colour in colours[np.argsort(-often)[:2]].tolist()} == {
        MEANT[0],
        (250, 200, 80),
    }


def test_clouds_share_an_ink_and_areas_that_differ_do_not():
    clouds = snap_to_palette(
        np.array([[254.0, 196, 85], [254, 206, 75]]),
        np.array([5, 10]),
        palette_from_codes(["ffcc4d"]),
    )
    np.testing.assert_allclose(clouds, [[0xFF, 0xCC, 0x4D]] * 2)
    found = snap_to_palette(
        np.array([[90.0, 150, 100], [92, 145, 59], [200, 40, 40]]),
        np.array([10, 400, 50]),
        palette_from_codes(["5c913b"]),
    )
    np.testing.assert_allclose(found, [[90, 150, 100], [0x5C, 0x91, 0x3B], [200, 40, 40]])


def test_the_mark_tells_inks_apart():
    assert len(
        {palette_digest(()), palette_digest(("ff0000",)), palette_digest(("ff0000", "00ff00"))}
    ) == 3 and palette_digest(("ff0000",)) == palette_digest(["ff0000"])


def test_the_nearest_groups_are_joined_first_and_weighted_by_their_size():
    groups = np.array([[50.0, 0, 0], [56.0, 0, 0], [50.0, 60, 0]])
    found, often = merge_similar(groups, np.array([3.0, 1, 2]))
    np.testing.assert_allclose(found, [[51.5, 0, 0], [50, 60, 0]])
    np.testing.assert_allclose(often, [4, 2])


def test_a_colour_that_hardly_occurs_is_no_ink():
    colours = np.concatenate(
        [
            np.tile([50.0, 0, 0], (3000, 1)),
            np.tile([80.0, 40, 0], (900, 1)),
            np.tile([20.0, -40, 0], (2, 1)),
        ]
    )
    found = cluster_colors(colours)
    assert len(found) == 2 and {round(value) for value in found[:, 0]} == {50, 80}
