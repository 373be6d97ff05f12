"""A picture as the latents that denoising starts from."""

import numpy as np
import pytest
import torch
from PIL import Image

from stickerforge.data.init_pictures import has_ground, load_init
from stickerforge.errors import InputError
from stickerforge.generation.sampler import GuidanceParams, SamplingParams, make_scheduler, sample
from stickerforge.generation.start import encode_start
from stickerforge.models.registry import find_model, load_model
from stickerforge.stickers.alpha import premultiply


@pytest.fixture(scope="module")
def mini():
    return load_model(find_model("sticker-mini"), torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def plain(tiny_sd):
    return load_model(find_model(str(tiny_sd)), torch.device("cpu"), torch.float32)


@pytest.fixture
def files(tmp_path):
    """A drawing with a clear ground, and a mask that is white above."""
    rgba = np.zeros((128, 128, 4), np.uint8)
    rgba[32:96, 32:96] = (200, 40, 30, 255)
    Image.fromarray(rgba).save(tmp_path / "cat.png")
    mask = np.zeros((128, 128), np.uint8)
    mask[:64] = 255
    Image.fromarray(mask).save(tmp_path / "top.png")
    return str(tmp_path / "cat.png"), str(tmp_path / "top.png")


def start_of(model, file, strength, mask="", steps=10):
    sampling = SamplingParams(steps, model.pixels)
    init = load_init(file, strength, mask)
    scheduler = make_scheduler(model, sampling)
    return encode_start(model, scheduler, init, pixels=model.pixels, steps=steps)


def test_a_model_with_alpha_takes_the_picture_with_its_alpha(mini, files):
    start = start_of(mini, files[0], 0.5)
    assert start.skipped == 5 and start.mask is None
    decoded = mini.decode(start.latents)[0].permute(1, 2, 0).numpy()
    original = premultiply(load_init(files[0], None, "").square(mini.pixels))
    assert np.abs(decoded - original).mean() < 0.04
    assert decoded[:20, :, 3].max() < 0.2 and decoded[60:70, 60:70, 3].min() > 0.8


def test_a_model_without_alpha_takes_it_on_white(plain, files, tmp_path):
    picture = Image.open(files[0])
    white = Image.new("RGBA", picture.size, "white")
    white.alpha_composite(picture)
    white.convert("RGB").save(tmp_path / "white.png")
    start, on_white = (start_of(plain, str(f), 0.5) for f in (files[0], tmp_path / "white.png"))
    # Resampling at the border of a figure is done with its alpha.
    torch.testing.assert_close(start.latents, on_white.latents, rtol=0, atol=0.05)


def test_noise_alone_needs_no_picture(mini, files):
    assert start_of(mini, files[0], 1.0) is None
    start = start_of(mini, files[0], 1.0, files[1])
    assert start.skipped == 0 and start.mask.shape == (1, 1, 16, 16)
    assert (start.mask[..., :8, :] == 1).all() and not start.mask[..., 8:, :].any()


def test_a_thin_mask_frees_each_latent_that_it_touches(mini, files, tmp_path):
    mask = np.zeros((128, 128), np.uint8)
    mask[40:42, 8:120] = 255
    Image.fromarray(mask).save(tmp_path / "line.png")
    start = start_of(mini, files[0], 0.5, str(tmp_path / "line.png"))
    assert (start.mask[0, 0, 5, 1:15] == 1).all()
    assert float(start.mask.sum()) == 14


def test_a_scheduler_without_noise_is_refused(mini, files, monkeypatch):
    monkeypatch.setitem(mini.noise_process.config, "_class_name", "IPNDMScheduler")
    with pytest.raises(InputError, match="IPNDMScheduler, cannot start from a picture") as error:
        start_of(mini, files[0], 0.5)
    assert "sampling.scheduler=ddim" in error.value.hint


def test_a_ground_is_what_an_opaque_picture_has(files, tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "photo.png")
    assert has_ground(load_init(str(tmp_path / "photo.png"), None, ""))
    assert not has_ground(load_init(files[0], None, "")) and not has_ground(None)


def test_an_image_does_not_depend_on_its_company(mini, files):
    start, sampling = start_of(mini, files[0], 0.5, steps=4), SamplingParams(4, 128, batch=2)
    guidance = GuidanceParams(2.0)
    both = list(sample(mini, ["cat", "dog"], [4, 5], sampling, guidance, start=start))
    (alone,) = sample(mini, ["dog"], [5], sampling, guidance, start=start)
    assert torch.equal(both[1], alone)
    assert not torch.equal(*both)


def test_more_strength_leads_farther_away(plain, files):
    original = torch.from_numpy(premultiply(load_init(files[0], None, "").square(plain.pixels)))
    white = (original[..., :3] + 1 - original[..., 3:]).permute(2, 0, 1)
    distances = []
    for strength in (0.1, 0.3, 0.5, 0.7, 0.9):
        start = start_of(plain, files[0], strength)
        sampling = SamplingParams(10, plain.pixels)
        images = sample(plain, ["a"] * 4, [1, 2, 3, 4], sampling, GuidanceParams(2.0), start=start)
        latents = [plain.encode(image[None])[0] for image in images]
        distances.append(float(torch.cat(latents).sub(plain.encode(white[None])[0]).abs().mean()))
    assert distances == sorted(distances)
