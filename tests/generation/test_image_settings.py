"""Settings read back from an image."""

import numpy as np
import pytest

from stickerforge.config.resolve import resolve
from stickerforge.config.schema import GenerateConfig
from stickerforge.errors import InputError
from stickerforge.generation.image_settings import is_public_model, read_settings
from stickerforge.stickers.image_files import encode_image


def test_a_strangers_picture_does_not_say_where_to_write_and_what_to_read(tmp_path):
    params = {
        "prompt": "cat",
        "seed": 1,
        "model": "/etc/model",
        "adapter": ["/home/me/x.safetensors"],
    }
    params |= {
        "output": {"folder": "/home/me", "size": 256},
        "sampling": {"steps": 3},
        "subject": "/home/me/y.safetensors",
    }
    path = tmp_path / "cat.png"
    path.write_bytes(encode_image(np.zeros((8, 8, 4), np.uint8), params, "test", "png"))
    settings, _ = read_settings(path)
    named = {"adapter": ["x.safetensors"], "subject": ["y.safetensors"]}
    assert (
        settings
        == {
            "prompt": "cat",
            "seed": 1,
            "sampling.steps": 3,
            "output.size": 256,
            "output.colours": "drawn",
            "words.unknown": "keep",
        }
        | named
    )


def test_settings_of_an_image_are_settings_of_a_call(tmp_path):
    params = {"prompt": "cat", "seed": 7, "negative": "leaf", "style": "flat", "subject": ["dog"]}
    params |= {"model": "sticker-mini@3.1", "sampling": {"steps": 3, "batch": 2}}
    params |= {"output": {"size": 256, "format": "webp", "colours": "flat", "flat": "0" * 8}}
    path = tmp_path / "cat.webp"
    path.write_bytes(encode_image(np.zeros((8, 8, 4), np.uint8), params, "test", "webp"))
    settings, remembered = read_settings(path)
    config = resolve(GenerateConfig, settings)
    assert remembered == params
    assert (config.prompt, config.seed, config.negative) == (("cat",), 7, "leaf")
    assert (config.style, config.subject, config.model) == ("flat", ("dog",), "sticker-mini@3.1")
    assert (config.sampling.steps, config.sampling.batch) == (3, 2)
    assert (config.output.size, config.output.format, config.output.colours) == (
        256,
        "webp",
        "flat",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no picture"),
        (b"hello", "is no PNG or WebP picture"),
        ({}, "does not say how it was made"),
        ({"seed": 1}, "was made without its prompt"),
    ],
)
def test_files_that_say_too_little(tmp_path, content, message):
    path = tmp_path / "cat.png"
    if isinstance(content, dict):
        content = encode_image(np.zeros((8, 8, 4), np.uint8), content, "test", "png")
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_settings(path)


def test_a_folder_is_no_name_of_a_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_public_model("sticker-mini@3.1") and is_public_model("owner/model")
    assert not is_public_model("/etc/model") and not is_public_model("tiny-sd")
    (tmp_path / "owner/model").mkdir(parents=True)
    assert not is_public_model("owner/model")
