"""Each planted defect moves its measure, and none that has nothing to do with it."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from stickerforge.evaluation.metrics.cutout import measure_cutout, softness

SIDE = 512
# what each defect may move; everything else has to stay within the noise
MATRIX = {
    "halo": {"halo", "legibility"},  # a dark ring is detail that 64 px do not show
    "hole": {"holes", "coverage", "legibility", "halo", "softness"},
    "stray": {"stray", "parts", "box", "coverage", "legibility", "softness"},
    "cropped": {"border_touch", "box", "coverage", "legibility", "softness"},
    "blurred edge": {"softness", "coverage", "halo", "legibility", "haze", "box"},
    "jagged edge": {"softness", "coverage", "legibility", "halo"},
    "haze": {"haze", "coverage", "halo", "softness", "legibility"},
}
MEASURE_OF = {
    "halo": "halo",
    "hole": "holes",
    "stray": "stray",
    "cropped": "border_touch",
    "blurred edge": "softness",
    "jagged edge": "softness",
    "haze": "haze",
}


def sticker(seed=0, colour=(230, 120, 60)):
    """A smooth disc with two eyes; position and size wander a little, which is the noise."""
    rng = np.random.default_rng(seed)
    big = Image.new("RGBA", (4 * SIDE, 4 * SIDE), (*colour, 0))
    pen = ImageDraw.Draw(big)
    x, y, radius = (
        4 * (256 + rng.uniform(-6, 6)),
        4 * (256 + rng.uniform(-6, 6)),
        4 * (190 + rng.uniform(-6, 6)),
    )
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(*colour, 255))
    for side in (-1, 1):
        pen.ellipse(
            (x + side * 280 - 80, y - 280, x + side * 280 + 80, y - 120), fill=(30, 30, 40, 255)
        )
    return np.array(big.convert("RGBa").resize((SIDE, SIDE), Image.Resampling.BOX).convert("RGBA"))


def over(rgba, ground):
    """What is seen on a grey ground."""
    behind = Image.new("RGBA", (SIDE, SIDE), (ground, ground, ground, 255))
    return np.asarray(Image.alpha_composite(behind, Image.fromarray(rgba)))[..., :3].astype(float)


def harmed(rgba, defect):
    rgba = rgba.copy()
    alpha = rgba[..., 3]
    if defect == "halo":
        edge = (alpha > 0) & (alpha < 255)
        rgba[edge, :3] = 0
    elif defect == "hole":
        rows, columns = np.mgrid[:SIDE, :SIDE]
        rgba[np.hypot(rows - 330, columns - 256) < 24, 3] = 0
    elif defect == "stray":
        rgba[20:40, 20:40] = (10, 200, 10, 255)
    elif defect == "cropped":
        rgba = np.roll(rgba, 110, 1)
        rgba[:, :110] = 0
    elif defect == "blurred edge":
        rgba[..., 3] = np.asarray(Image.fromarray(alpha).filter(ImageFilter.GaussianBlur(6)))
    elif defect == "jagged edge":
        rgba[..., 3] = np.where(alpha > 127, 255, 0)
    elif defect == "haze":
        rgba[..., 3] = (alpha * 0.75).astype(np.uint8)
    return rgba


@pytest.fixture(scope="module")
def clean():
    """Measures of stickers without a defect."""
    return [measure_cutout(sticker(seed)) for seed in range(8)]


@pytest.mark.parametrize("defect", MATRIX)
def test_a_defect_moves_its_measure_and_no_other(clean, defect):
    broken = [measure_cutout(harmed(sticker(seed), defect)) for seed in range(8)]
    for name in clean[0]:
        noise = np.std([row[name] for row in clean])
        if np.isnan(broken[0][name]):  # an edge without half-transparent pixels has no halo
            assert name in MATRIX[defect]
            continue
        moved = abs(
            np.mean(
                [after[name] - before[name] for before, after in zip(clean, broken, strict=True)]
            )
        )
        if name == MEASURE_OF[defect]:
            assert moved > 3 * noise and moved > 0.002, (name, moved, noise)
        if name not in MATRIX[defect]:
            assert moved <= max(noise, 1e-3), (name, moved, noise)


@pytest.mark.parametrize(
    "defect, strengths",
    [("halo", (0, 60, 120, 200)), ("hole", (0, 10, 20, 40)), ("haze", (1, 0.8, 0.6, 0.4))],
)
def test_measures_grow_with_the_defect(defect, strengths):
    found = []
    for strength in strengths:
        rgba = sticker()
        if defect == "halo":
            edge = (rgba[..., 3] > 0) & (rgba[..., 3] < 255)
            rgba[edge, :3] = np.maximum(0, rgba[edge, :3].astype(int) - strength)
        elif defect == "hole":
            rows, columns = np.mgrid[:SIDE, :SIDE]
            rgba[np.hypot(rows - 330, columns - 256) < strength, 3] = 0
        else:
            rgba[..., 3] = (rgba[..., 3] * strength).astype(np.uint8)
        found.append(measure_cutout(rgba)[MEASURE_OF[defect]])
    assert found == sorted(found) and found[0] < (0.5 if defect == "halo" else 1e-2) < found[-1]


def test_the_halo_is_the_error_on_every_ground():
    """a |c - s| is what a wrong edge colour changes in the composite, whatever is behind."""
    rgba, solid = sticker(), np.array([230, 120, 60])
    edge = (rgba[..., 3] > 26) & (rgba[..., 3] < 229)
    broken = rgba.copy()
    broken[edge, :3] = (0, 0, 0)
    for ground in (0, 128, 255):
        wrong = np.abs(over(broken, ground) - over(rgba, ground))[edge].mean()
        assert wrong == pytest.approx(measure_cutout(broken)["halo"], rel=0.05)
    assert (rgba[edge][:, :3] / solid).std() < 0.02


@pytest.mark.parametrize("width", [1.0, 2.0, 5.0, 9.0])
def test_softness_is_the_width_of_the_edge(width):
    columns = np.arange(256)
    found = []
    for phase in np.linspace(0, 1, 20, endpoint=False):
        ramp = np.clip((columns - 128 - phase) / width + 0.5, 0, 1).astype(np.float32)
        found.append(softness(np.tile(ramp, (64, 1)), 16.0))
    # A contour along the pixel borders is as long as its steps: the factor for slanted ones is
    # taken out here.
    assert np.mean(found) * np.pi / 4 == pytest.approx(width, rel=0.05)


def test_size_of_the_file_does_not_matter():
    large = sticker()
    small = np.array(
        Image.fromarray(large)
        .convert("RGBa")
        .resize((256, 256), Image.Resampling.BOX)
        .convert("RGBA")
    )
    a, b = measure_cutout(large), measure_cutout(small)
    for name in ("coverage", "box", "border_touch", "holes", "stray", "parts", "haze"):
        assert a[name] == pytest.approx(b[name], abs=0.01), name


def test_a_hazy_inside_is_no_soft_edge():
    rgba = sticker()
    rgba[..., 3] = (rgba[..., 3] * 0.78).astype(np.uint8)
    assert (
        measure_cutout(rgba)["softness"]
        == pytest.approx(measure_cutout(sticker())["softness"], rel=0.2)
        and measure_cutout(rgba)["haze"] > 0.2
    )
    window = sticker()
    window[230:330, 200:300, 3] = 128
    assert measure_cutout(window)["softness"] < 2 * measure_cutout(sticker())["softness"]


def test_what_a_picture_cannot_have_is_no_number():
    """A blank picture must not look perfect."""
    nothing = measure_cutout(np.zeros((64, 64, 4), np.uint8))
    assert nothing["coverage"] == nothing["box"] == nothing["parts"] == 0
    assert all(
        np.isnan(nothing[name])
        for name in ("holes", "stray", "softness", "halo", "haze", "legibility")
    )
    photo = measure_cutout(np.full((64, 64, 4), 255, np.uint8))
    assert [photo[name] for name in ("coverage", "box", "border_touch", "parts", "haze")] == [
        1,
        1,
        1,
        1,
        0,
    ]
    assert np.isnan(photo["softness"]) and np.isnan(photo["halo"])


def test_a_line_one_pixel_wide():
    line = np.zeros((64, 64, 4), np.uint8)
    line[10:50, 30] = (200, 10, 10, 255)
    assert measure_cutout(line)["parts"] == 1 and measure_cutout(line)["box"] == pytest.approx(
        40 / 64**2
    )
