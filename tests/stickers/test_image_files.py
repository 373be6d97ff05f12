import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from stickerforge.stickers.image_files import (
    KEY,
    SOURCE_TYPE,
    encode_image,
    params_in_xmp,
    read_params,
)

PARAMS = {"prompt": 'a <dog> & "cat" ü \n 猫', "seed": 7, "sampling": {"steps": 20}}


def picture():
    return np.random.default_rng(0).integers(0, 256, (24, 24, 4), np.uint8)


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_a_file_keeps_its_pixels_and_its_parameters(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    path.write_bytes(encode_image(picture(), PARAMS, "stickerforge 1", kind))
    assert np.array_equal(np.asarray(Image.open(path)), picture())
    assert read_params(path) == PARAMS
    assert SOURCE_TYPE.encode() in path.read_bytes()


def test_the_same_picture_gives_the_same_bytes():
    assert encode_image(picture(), PARAMS, "t", "png") == encode_image(
        picture(), PARAMS, "t", "png"
    )


def test_pictures_of_others_have_no_parameters(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "a.png")
    assert read_params(tmp_path / "a.png") is None
    info = PngImagePlugin.PngInfo()
    info.add_text(KEY, "{not json")
    Image.fromarray(picture()).save(tmp_path / "b.png", pnginfo=info)
    assert read_params(tmp_path / "b.png") is None


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\nxxxx"])
def test_what_is_no_picture_is_a_value_error(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ValueError):
        read_params(tmp_path / "a.png")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_any_prompt_survives_xmp(text):
    xmp = encode_image(picture()[:2, :2], {"prompt": text}, "t", "png")
    info = Image.open(io.BytesIO(xmp)).info
    assert json.loads(params_in_xmp(info["xmp"])) == {"prompt": text}
