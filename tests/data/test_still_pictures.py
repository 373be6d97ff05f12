"""Masks over something: their shape, their white, and what is said of those that are of no use."""

import numpy as np
import pytest
from PIL import Image

from stickerforge.data.still_pictures import MaskUse, fades, load_mask
from stickerforge.errors import InputError
from stickerforge.stickers.repaint import scale_mask

USE = MaskUse("some.mask", "the thing", "give another", "nothing would be done", "paint it white")


def write(path, width, height, box=None):
    mask = Image.new("L", (width, height))
    mask.paste(255, box or (0, 0, width, height))
    mask.save(path)
    return str(path)


@pytest.mark.parametrize("size", [(64, 32), (128, 64), (32, 16), (63, 32), (101, 50)])
def test_a_mask_of_the_same_shape_comes_in_the_size_of_the_thing(tmp_path, size):
    picture, mask = load_mask(write(tmp_path / "a.png", *size), (64, 32), USE)
    assert mask.shape == (32, 64) and (mask == 255).all() and len(picture.sha256) == 64


@pytest.mark.parametrize("size", [(32, 64), (64, 64), (68, 32)])
def test_another_shape_is_refused_in_the_words_of_its_use(tmp_path, size):
    path = write(tmp_path / "a.png", *size)
    with pytest.raises(InputError) as error:
        load_mask(path, (64, 32), USE)
    shown = f"the mask {path} is {size[0]} x {size[1]} pixels, the thing 64 x 32"
    assert (error.value.message, error.value.hint) == (shown, "give another")


def test_black_is_refused_in_the_words_of_its_use(tmp_path):
    path = write(tmp_path / "a.png", 64, 32, (0, 0, 0, 0))
    with pytest.raises(InputError) as error:
        load_mask(path, (64, 32), USE)
    assert error.value.message == f"the mask {path} is black throughout: nothing would be done"
    assert error.value.hint == USE.remedy
    with pytest.raises(InputError, match="^some.mask: no picture "):
        load_mask(str(tmp_path / "gone.png"), (64, 32), USE)


def test_white_of_less_than_half_a_position_fades():
    mask = np.zeros((64, 64), np.uint8)
    mask[8:16, 8:11] = 255
    assert fades(mask, scale_mask(mask, (8, 8)))
    mask[8:16, 11] = 255
    assert not fades(mask, scale_mask(mask, (8, 8)))
    grey = np.full((64, 64), 3, np.uint8)
    assert not fades(grey, scale_mask(grey, (8, 8)))
