"""From pixels to the image of a file."""

import numpy as np
import pytest
import torch

from stickerforge.generation.postprocess import finish_image, to_premultiplied


def disc(side=32):
    """A red disc on a transparent ground, premultiplied (4, side, side)."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    alpha = (np.hypot(x, y) < side / 3).astype(np.float32)
    return torch.from_numpy(np.stack([0.8 * alpha, 0.1 * alpha, 0.1 * alpha, alpha]))


def test_three_channels_become_opaque_or_are_cut_out():
    pixels = torch.rand(3, 8, 8)
    opaque = to_premultiplied(pixels, None)
    assert opaque.shape == (8, 8, 4) and (opaque[..., 3] == 1).all()
    assert np.array_equal(opaque[..., :3], pixels.permute(1, 2, 0).numpy())
    received = []

    def cut_out(rgb):
        received.append(rgb)
        return np.zeros((8, 8, 4), np.float32)

    assert not to_premultiplied(pixels, cut_out).any()
    assert received[0].dtype == np.uint8 and received[0].shape == (8, 8, 3)
    assert np.abs(received[0] / 255 - opaque[..., :3]).max() <= 0.5 / 255 + 1e-6


def test_alpha_that_is_nearly_settled_is_settled():
    pixels = disc()
    pixels[3] = pixels[3] * 0.98 + 0.005
    alpha = to_premultiplied(pixels, None)[..., 3]
    assert set(np.unique(alpha)) == {0.0, 1.0}


@pytest.mark.parametrize(("size", "side"), [(0, 32), (20, 20), (64, 64)])
@pytest.mark.parametrize("palette", [None, (), ("dd2e44",)])
def test_the_image_has_the_size_of_the_file(size, side, palette):
    rgba = finish_image(disc(), None, size, palette)
    assert rgba.shape == (side, side, 4) and rgba.dtype == np.uint8
    assert rgba[side // 2, side // 2, 3] == 255 and rgba[0, 0, 3] == 0


def test_a_palette_makes_colours_flat():
    pixels = disc(64)
    pixels[0] += 0.02 * torch.randn(64, 64, generator=torch.Generator().manual_seed(0)) * pixels[3]
    solid = {}
    for palette in (None, ("cc1a1a",)):
        rgba = finish_image(pixels.clamp(0, 1), None, 0, palette)
        solid[palette] = np.unique(rgba[28:36, 28:36].reshape(-1, 4), axis=0)
    assert len(solid[None]) > 5
    assert solid[("cc1a1a",)].tolist() == [[0xCC, 0x1A, 0x1A, 255]], "the ink of the style"
