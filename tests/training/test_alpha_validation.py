"""The metrics of a decoder against the same computed by hand, and the page that shows it."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from stickerforge.config.schema import AlphaLossConfig, CanvasConfig
from stickerforge.data.pictures import load_picture
from stickerforge.models.alpha_decoder import AlphaDecoder
from stickerforge.training import alpha_validation
from stickerforge.training.alpha_preview import CELL_PX, COLUMNS, preview_page
from stickerforge.training.alpha_validation import AlphaValidator, decibels
from stickerforge.training.methods.alpha_decoder import Canvas
from stickerforge.training.sticker_pictures import Stickers
from tests.tiny import tiny_vae

SIDE = 16


@pytest.fixture
def validator(tmp_path):
    """Of two stickers: one white inside, the other blue."""
    pictures = []
    for name, colour in (("white", "#ffffff"), ("blue", "#1020ff")):
        page = Image.new("RGBA", (32, 32))
        page.paste("#202020", (4, 4, 28, 28))
        page.paste(colour, (10, 10, 22, 22))
        page.save(tmp_path / f"{name}.png")
        pictures.append(load_picture(tmp_path / f"{name}.png")[0])
    torch.manual_seed(0)
    vae = tiny_vae(3).eval().requires_grad_(False)
    return AlphaValidator(
        vae,
        AlphaDecoder(vae).requires_grad_(False),
        Stickers(pictures, SIDE),
        Canvas(CanvasConfig(scale_low=1.0), SIDE),
        AlphaLossConfig(),
        3,
        tmp_path / "looks",
        1,
    )


def targets(validator):
    stickers = validator.stickers
    planes = [torch.from_numpy(stickers.planes(number)).float() / 255 for number in (0, 1)]
    return torch.stack(planes)


def decode_as(monkeypatch, pictures):
    """Let the decoder make these straight pictures, one after another."""
    decoded = iter(pictures[:, None])
    monkeypatch.setattr(alpha_validation, "decode_alpha", lambda *arguments: next(decoded))


def straight(target):
    alpha = target[:, 3:]
    return torch.cat([target[:, :3] / alpha.clamp(min=1 / 255), alpha], 1).clamp(0, 1)


def test_a_decoder_that_is_right_has_no_error(validator, monkeypatch):
    decode_as(monkeypatch, straight(targets(validator)))
    metrics = validator.validate(5)
    assert metrics["alpha_error"] == pytest.approx(0, abs=1e-6)
    cover = float(targets(validator)[:, 3].mean())
    assert metrics["constant_error"] == pytest.approx(min(cover, 1 - cover), abs=1e-6)
    assert metrics["white_recall"] == 1
    assert metrics["score"] == pytest.approx(0, abs=1e-5)
    assert metrics["rgb_change"] > 30  # its own decoder is random


def test_alpha_is_measured_pixel_by_pixel(validator, monkeypatch):
    target = targets(validator)
    wrong = straight(target)
    white = (target[0, :3].amin(0) > 0.95) & (target[0, 3] > 0.98)
    half = white.clone()
    half[:, SIDE // 2 :] = False
    wrong[0, 3][half] = 0.4
    decode_as(monkeypatch, wrong)
    metrics = validator.validate(5)
    assert metrics["white_recall"] == pytest.approx(1 - float(half.sum() / white.sum()), abs=0.1)
    assert metrics["alpha_error"] == pytest.approx(0.6 * int(half.sum()) / SIDE**2 / 2, rel=0.02)


def test_colours_are_compared_with_the_models_own_decoder(validator, monkeypatch):
    vae, target = validator.vae, targets(validator)
    seen = validator.canvas.cover(target)
    with torch.no_grad():
        own = vae.decode(vae.encode(seen * 2 - 1).latent_dist.mode()).sample / 2 + 0.5
    own = own.clamp(0, 1)
    opaque = torch.cat([(own + 0.1).clamp(0, 1), torch.ones(2, 1, SIDE, SIDE)], 1)
    decode_as(monkeypatch, opaque)
    metrics = validator.validate(5)
    shift = float((opaque[:, :3] - own).square().mean())
    assert metrics["rgb_psnr"] == pytest.approx(-10 * math.log10(shift), rel=1e-4)
    alpha = target[:, 3:]
    cover = 3 * alpha.sum((1, 2, 3))
    errors = [
        float(((alpha * (each - seen).square()).sum((1, 2, 3)) / cover).mean())
        for each in (opaque[:, :3], own)
    ]
    expected = 10 * math.log10(errors[1] / errors[0])
    assert metrics["rgb_change"] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("ruin", [0.0, 0.5])
def test_an_exact_ground_makes_up_for_no_colour(ruin, validator, monkeypatch):
    """Where the sticker is, colours are the model's own or worse; the ground is clear."""
    vae, target = validator.vae, targets(validator)
    seen, alpha = validator.canvas.cover(target), target[:, 3:]
    with torch.no_grad():
        own = vae.decode(vae.encode(seen * 2 - 1).latent_dist.mode()).sample / 2 + 0.5
    solid = (alpha > 0.02).float()
    colours = (own.clamp(0, 1) - seen) * (1 + ruin) + seen
    decode_as(monkeypatch, torch.cat([colours, solid], 1))
    change = validator.validate(5)["rgb_change"]
    assert change == pytest.approx(0, abs=0.05) if not ruin else change < -0.5


def test_what_no_picture_has_is_left_out(validator, monkeypatch):
    del validator.stickers.pictures[0]  # without white, and its alpha has no soft edge
    pictures = straight(targets_of_one(validator))
    pictures[:, 3] = pictures[:, 3].round()
    decode_as(monkeypatch, pictures)
    metrics = validator.validate(5)
    assert "white_recall" not in metrics and "halo" not in metrics
    assert all(math.isfinite(value) for value in metrics.values())


def targets_of_one(validator):
    return torch.from_numpy(validator.stickers.planes(0)).float()[None] / 255


def test_it_measures_the_same_each_time_and_writes_a_page(validator):
    first, second = validator.validate(5), validator.validate(10)
    assert first == second
    assert sorted(path.name for path in validator.sheets.iterdir()) == ["000005.png", "000010.png"]


def test_a_sticker_is_encoded_once(validator, monkeypatch):
    encode, seen = validator.vae.encode, []
    monkeypatch.setattr(validator.vae, "encode", lambda pixels: seen.append(1) or encode(pixels))
    validator.validate(5)
    assert len(seen) == 2


def test_a_halo_is_a_wrong_colour_of_the_edge(validator, monkeypatch):
    clean = straight(targets(validator))
    for pictures in (clean, clean.clone()):
        pictures[:, 3, 0] = 0.5
        pictures[:, 3, 1:3] = 1
    dirty = clean.clone()
    dirty[:, :3, 0] = 1
    found = []
    for pictures in (clean, dirty):
        decode_as(monkeypatch, pictures)
        found.append(validator.validate(1)["halo"])
    assert found[0] < 5 < 50 < found[1]


def test_decibels():
    assert decibels([0.01, 0.01]) == pytest.approx(20)
    assert decibels([0.0]) == 100
    assert decibels([1e-30]) == 100


def test_a_page_shows_each_sticker_on_every_ground():
    encoded = torch.full((3, 8, 8), 0.5)
    decoded = torch.zeros(4, 8, 8)
    decoded[0], decoded[3] = 1, 0.5  # red, half there
    page = np.asarray(Image.open(io.BytesIO(preview_page([(encoded, decoded)] * 3))))
    assert page.shape[0] > 3 * CELL_PX and page.shape[1] > len(COLUMNS) * CELL_PX
    row = page[CELL_PX // 2 + 30]
    step = row.shape[0] // len(COLUMNS)
    colours = [row[8 + step * column + step // 2] for column in range(len(COLUMNS))]
    expected = {
        "encoded": (128, 128, 128),
        "black": (128, 0, 0),
        "white": (255, 128, 128),
        "green": (128, 88, 32),
        "alpha": (128, 128, 128),
    }
    for name, colour in expected.items():
        found = colours[COLUMNS.index(name)].astype(int)
        assert np.abs(found - colour).max() <= 2, name
    chequered = colours[COLUMNS.index("chequerboard")]
    assert chequered[0] > 230 and chequered[1] in range(110, 130)
