"""The image encoder of image adapters: how pictures are prepared, and where it comes from."""

import fnmatch
import json
import shutil
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from PIL import Image
from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.models.image_encoder import ClipImageEncoder, check_features
from stickerforge.models.image_encoder_place import (
    OFFICIAL,
    OFFICIAL_LARGE,
    find_image_encoder,
    official_encoder,
)

RED = (255, 0, 0)


@pytest.fixture(scope="module")
def encoder(image_encoder):
    return ClipImageEncoder(image_encoder, torch.device("cpu"), torch.float32)


@pytest.fixture
def picture():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    return Image.fromarray(pixels)


@torch.no_grad()
def test_features_are_those_of_transformers(encoder, image_encoder, picture):
    network = CLIPVisionModelWithProjection.from_pretrained(image_encoder)
    processor = CLIPImageProcessorPil(size=32, crop_size=32)
    pixels = processor(picture, return_tensors="pt").pixel_values
    assert torch.equal(encoder.pixels(picture, "crop", RED), pixels)
    vector, nothing = encoder.features(pixels, "base"), encoder.no_features("base")
    torch.testing.assert_close(vector, network(pixels).image_embeds)
    assert torch.equal(nothing, torch.zeros(1, 24))
    patches, grey = encoder.features(pixels, "plus"), encoder.no_features("plus")
    hidden = network(pixels, output_hidden_states=True).hidden_states[-2]
    assert hidden.shape == (1, 17, 32)
    torch.testing.assert_close(patches, hidden)
    zeros = network(torch.zeros_like(pixels), output_hidden_states=True).hidden_states[-2]
    torch.testing.assert_close(grey, zeros)


def test_a_picture_is_fitted_as_the_setting_says(encoder):
    """A picture of three squares: crop sees the middle one, the others see all three."""
    picture = Image.new("RGB", (96, 32), "blue")
    picture.paste("lime", (32, 0, 64, 32))

    def seen(fit):
        pixels = encoder.pixels(picture, fit, RED)[0]
        mean, std = (
            torch.tensor(values)[:, None, None]
            for values in (encoder.processor.image_mean, encoder.processor.image_std)
        )
        return (pixels * std + mean).permute(1, 2, 0)

    lime, blue, red = (torch.tensor(rgb) for rgb in ((0.0, 1, 0), (0.0, 0, 1), (1.0, 0, 0)))
    assert (seen("crop") - lime).abs().max() < 0.01
    stretched = seen("stretch")
    assert (stretched[16, 2] - blue).abs().max() < 0.05
    assert (stretched[16, 16] - lime).abs().max() < 0.05
    padded = seen("pad")
    assert (padded[2, 16] - red).abs().max() < 0.05 and (padded[29, 3] - red).abs().max() < 0.05
    assert (padded[16, 16] - lime).abs().max() < 0.05
    assert (padded[16, 2] - blue).abs().max() < 0.05


def test_what_an_adapter_does_not_read_is_said(encoder):
    place = find_image_encoder(str(encoder.folder))
    check_features(encoder, place, "base", 24, "it")
    check_features(encoder, place, "plus", 32, "it")
    for variant in ("base", "plus"):
        with pytest.raises(InputError, match="and it was trained on those of width 1024"):
            check_features(encoder, place, variant, 1024, "it")


def test_which_official_one_an_adapter_reads():
    assert official_encoder("base", 1024) == official_encoder("plus", 1280) == OFFICIAL
    assert official_encoder("base", 1280) == official_encoder("plus", 1664) == OFFICIAL_LARGE


def test_a_folder_is_known_by_its_name_and_content(image_encoder, tmp_path):
    place = find_image_encoder(str(image_encoder))
    assert (place.title, place.folder, place.fetch_line) == ("tiny-vision", image_encoder, "")
    assert place.fetch(offline=True, say=print) == image_encoder
    copy = shutil.copytree(image_encoder, tmp_path / "tiny-vision")
    assert find_image_encoder(str(copy)).fingerprint == place.fingerprint
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 0.1}))
    assert find_image_encoder(str(copy)).fingerprint != place.fingerprint


@pytest.mark.parametrize(
    ("place", "message"),
    [("gone", "no folder 'gone'"), ("a/../b", "no folder"), ("~nobody/x", "nobody")],
)
def test_what_is_no_place_is_said(place, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        find_image_encoder(place)


def test_folders_of_other_things_are_said(tiny_sd, dinov2, tmp_path):
    for folder in (tiny_sd, tmp_path):
        with pytest.raises(InputError, match="no config.json"):
            find_image_encoder(str(folder))
    with pytest.raises(InputError):
        ClipImageEncoder(dinov2, torch.device("cpu"), torch.float32)


@pytest.fixture
def hub(image_encoder, tmp_path, monkeypatch):
    """A hub with one repository; lists the files that were fetched."""
    source = tmp_path / "source"
    shutil.copytree(image_encoder, source / "models" / "image_encoder")
    (source / "models" / "ip-adapter.safetensors").write_bytes(b"large")
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    fetched = []

    def fetch(name, *, cache_dir, allow_patterns, ignore_patterns, local_files_only=False):
        to = Path(cache_dir) / "models--owner--name" / "snapshots" / "0"
        if local_files_only and not to.exists():
            raise LocalEntryNotFoundError("nothing here")
        to.mkdir(parents=True, exist_ok=True)
        for path in sorted(source.rglob("*")) if not local_files_only else []:
            name = str(path.relative_to(source))
            if any(fnmatch.fnmatch(name, pattern) for pattern in allow_patterns):
                (to / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, to / name)
                fetched.append(name)
        return str(to)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    return fetched


def test_one_of_the_hub_is_fetched_once_and_alone(hub):
    place = find_image_encoder("owner/name/models/image_encoder")
    assert place.folder is None and place.fetch_line == "owner/name/models/image_encoder"
    with pytest.raises(EnvironmentFault, match="not in the cache") as raised:
        place.fetch(offline=True, say=print)
    assert "image_prompt.encoder=FOLDER" in raised.value.hint and not hub
    folder = place.fetch(offline=False, say=print)
    encoder = ClipImageEncoder(folder, torch.device("cpu"), torch.float32)
    assert encoder.side == 32 and hub and all("image_encoder/" in name for name in hub)
    again = find_image_encoder("owner/name/models/image_encoder")
    assert again.folder == folder and again.fetch_line == ""
    assert find_image_encoder("owner/name/other").folder is None
    with pytest.raises(InputError, match="holds no image encoder"):
        find_image_encoder("owner/name/other").fetch(offline=False, say=print)


def test_the_official_one_says_how_large_it_is():
    assert find_image_encoder(OFFICIAL).fetch_line == f"{OFFICIAL}, 2528 MB"
