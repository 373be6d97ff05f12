"""Which pixels count."""

import numpy as np
from PIL import Image

from stickerforge.training.loss_masks import read_mask


def test_a_mask_is_told_by_its_brightness_unless_it_is_cut_out(tmp_path):
    rgba = np.zeros((40, 40, 4), np.uint8)
    rgba[..., 3] = 255
    rgba[10:20, 10:20, :3] = 255
    rgba[0, 0, 3] = 100  # one pixel that is not quite opaque
    Image.fromarray(rgba).save(tmp_path / "bright.png")
    assert read_mask(tmp_path / "bright.png", rgba).sum() == 255 * 100
    cut = np.full((40, 40, 4), 90, np.uint8)
    cut[..., 3] = 0
    cut[10:20, 10:20, 3] = 255
    Image.fromarray(cut).save(tmp_path / "cut.png")
    assert read_mask(tmp_path / "cut.png", cut).sum() == 255 * 100
