"""Single pictures of the user: what is known of them, and what happens to those that change."""

import os

import numpy as np
import pytest
from PIL import Image

from stickerforge.data import pictures
from stickerforge.data.pictures import load_picture, load_reference
from stickerforge.errors import InputError
from tests.stickers.test_image_reader import encoded, gradient


def test_a_plain_picture_is_what_it_was(tmp_path):
    gradient().save(tmp_path / "a.png")
    picture, image = load_picture(tmp_path / "a.png")
    assert picture.opaque and np.array_equal(picture.rgba(), image.rgba)
    assert np.array_equal(picture.rgba()[..., :3], np.asarray(gradient()))
    assert picture.file_bytes == (tmp_path / "a.png").stat().st_size


def test_the_first_frame_of_an_animation(tmp_path):
    red = Image.new("RGB", (40, 30), "red")
    gradient().save(tmp_path / "a.gif", save_all=True, append_images=[red])
    picture = load_reference(tmp_path / "a.gif")
    assert "first frame" in picture.note
    assert np.abs(picture.rgba()[..., :3].astype(int) - np.asarray(gradient())).mean() < 12


def test_a_picture_that_changes_or_goes_in_between_is_noticed(tmp_path):
    gradient().save(tmp_path / "a.png")
    picture = load_reference(tmp_path / "a.png")
    gradient(50).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="a.png: it changed"):
        picture.rgba()
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match="a.png: it has gone"):
        picture.rgba()


def test_a_file_larger_than_pictures_are_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_BYTES", 50)
    gradient().save(tmp_path / "a.png")
    with pytest.raises(InputError, match="a.png: it has over 50 bytes"):
        load_picture(tmp_path / "a.png")


def test_a_pipe_is_no_picture_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(InputError, match="a.png: it is a named pipe"):
        load_picture(tmp_path / "a.png")


@pytest.mark.parametrize("alpha", [0, 20])
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_picture_without_a_visible_pixel_teaches_nothing(tmp_path, alpha, kind):
    clear = Image.new("RGBA", (40, 30), (200, 100, 0, alpha))
    (tmp_path / "a.png").write_bytes(encoded(kind, clear, lossless=True))
    with pytest.raises(InputError, match="a.png: every pixel of it is transparent"):
        load_reference(tmp_path / "a.png")
    assert load_picture(tmp_path / "a.png")  # it can be measured


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_an_animation_whose_first_frame_is_clear_teaches_nothing(tmp_path, kind):
    clear = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    path = tmp_path / f"a.{kind.lower()}"
    clear.save(path, kind, save_all=True, append_images=[gradient(mode="RGBA")], duration=100)
    with pytest.raises(InputError, match="its first frame, which would be used, shows nothing"):
        load_reference(path)


def test_one_visible_pixel_is_a_picture(tmp_path):
    rgba = np.zeros((30, 40, 4), np.uint8)
    rgba[4, 5] = 255
    Image.fromarray(rgba).save(tmp_path / "a.png")
    assert not load_reference(tmp_path / "a.png").opaque
