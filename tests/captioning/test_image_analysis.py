"""What is said of pictures that were painted to be exactly that."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from stickerforge.captioning.image_analysis import (
    analyze_background,
    color_names,
    dominant_colors,
    framing,
)

NOTHING = np.zeros((128, 128), bool)


def page(ground, *, figure="#c02020", box=(40, 40, 90, 90)):
    picture = (
        Image.new("RGB", (128, 128), ground) if isinstance(ground, str) else Image.fromarray(ground)
    )
    ImageDraw.Draw(picture).rectangle(box, fill=figure)
    return np.asarray(picture)


def faded(first, last):
    share = np.linspace(0, 1, 128)[:, None, None]
    return (
        ((1 - share) * np.array(first) + share * np.array(last))
        .round()
        .astype(np.uint8)
        .repeat(128, 1)
    )


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("#ff0000", "red"),
        ("#008000", "green"),
        ("#87ceeb", "pale blue"),
        ("#000080", "blue"),
        ("#ffc0cb", "pink"),
        ("#8b4513", "brown"),
        ("#ffff00", "yellow"),
        ("#ffa500", "orange"),
        ("#800080", "purple"),
        ("#f5f5f5", "white"),
        ("#111111", "black"),
        ("#888888", "grey"),
    ],
)
def test_colours_are_called_as_people_call_them(code, name):
    rgb = [int(code[i : i + 2], 16) for i in (1, 3, 5)]
    assert color_names(np.array([rgb])).tolist() == [name]


@pytest.mark.parametrize(
    ("ground", "name"), [("#bedcf8", "pale blue"), ("#141418", "black"), ("#5cb25c", "green")]
)
def test_a_plain_ground_is_told_from_its_figure(ground, name):
    seen = analyze_background(page(ground), NOTHING)
    wanted = np.zeros((128, 128), bool)
    wanted[40:91, 40:91] = True
    assert (seen.kind, seen.colors) == ("plain", (name,))
    assert (seen.foreground == wanted).mean() > 0.99 and dominant_colors(
        page(ground), seen.foreground
    ) == ("red",)


def test_a_hole_of_the_colour_of_the_ground_belongs_to_the_figure():
    rgb = page("#ffffff").copy()
    rgb[55:75, 55:75] = 255
    assert analyze_background(rgb, NOTHING).foreground[60, 60]


@pytest.mark.parametrize("across", [False, True])
def test_a_fading_ground_is_told_with_both_ends(across):
    rgb = faded((226, 60, 60), (74, 134, 226))
    rgb = page(np.ascontiguousarray(rgb.transpose(1, 0, 2)) if across else rgb, figure="#ffffff")
    seen = analyze_background(rgb, NOTHING)
    assert (seen.kind, seen.colors) == ("fading", ("red", "blue"))
    assert seen.foreground[60, 60] and not seen.foreground[10, 10] and not seen.foreground[110, 110]


@pytest.mark.parametrize("step", [8, 16])
def test_a_ground_of_two_colours_is_told_from_its_figure(step):
    rows, columns = np.mgrid[:512, :512] // (4 * step)
    board = np.where(((rows + columns) % 2 == 0)[..., None], (252, 212, 80), (74, 134, 226)).astype(
        np.uint8
    )
    board = np.asarray(Image.fromarray(board).resize((128, 128), Image.Resampling.LANCZOS))
    seen = analyze_background(page(board), NOTHING)
    wanted = np.zeros((128, 128), bool)
    wanted[40:91, 40:91] = True
    assert seen.kind == "patterned" and set(seen.colors) == {"yellow", "blue"}
    assert (seen.foreground == wanted).mean() > 0.95 and dominant_colors(
        page(board), seen.foreground
    ) == ("red",)


def test_clear_and_busy_grounds():
    clear = NOTHING.copy()
    clear[:20] = True
    seen = analyze_background(page("#000000"), clear)
    assert (seen.kind, seen.colors) == ("clear", ()) and np.array_equal(seen.foreground, ~clear)
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    assert analyze_background(noise, NOTHING).kind == "busy"


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ((0, 0, 127, 127), ("close-up", "")),
        ((20, 20, 110, 110), ("", "")),
        ((5, 5, 40, 40), ("small", "at the top left")),
        ((88, 50, 120, 80), ("small", "at the right")),
        ((50, 90, 80, 120), ("small", "at the bottom")),
    ],
)
def test_framing(box, said):
    figure = NOTHING.copy()
    figure[box[1] : box[3] + 1, box[0] : box[2] + 1] = True
    assert framing(figure) == said
    assert framing(NOTHING) == ("", "")
