"""Rectangles for pictures of any size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stickerforge.data.buckets import MAX_ASPECT, crop_to_bucket, nearest_bucket, on_white


@given(
    st.integers(16, 9000),
    st.integers(16, 9000),
    st.sampled_from([(128, 32), (512, 64), (1024, 64), (32, 4)]),
)
def test_buckets_are_multiples_within_the_area(width, height, size):
    pixels, multiple = size
    high, wide = nearest_bucket(width, height, pixels, multiple)
    assert high % multiple == wide % multiple == 0
    assert high * wide <= pixels * pixels
    assert max(high / wide, wide / high) <= MAX_ASPECT
    assert high * wide >= 0.6 * pixels * pixels
    assert (high - wide) * (height - width) >= 0, "lying stays lying"


@pytest.mark.parametrize(
    ("size", "expected"),
    [((800, 800), (512, 512)), ((300, 400), (576, 448)), ((1600, 900), (384, 640))],
)
def test_known_buckets(size, expected):
    assert nearest_bucket(*size, 512, 64) == expected


def test_the_frame_says_what_was_cut_off():
    rgba = np.zeros((60, 100, 4), np.uint8)
    rgba[..., 3], rgba[:, :50, 0] = 255, 255
    ready = crop_to_bucket(rgba, 32, 32)
    assert ready.premultiplied.shape == (4, 32, 32)
    assert ready.frame == (
        60,
        100,
        0,
        10,
        32,
        32,
    )  # 100 x 60 becomes 53 x 32, of which 10 are cut off at the left
    reference = np.asarray(
        Image.fromarray(rgba[..., :3])
        .resize((53, 32), Image.Resampling.LANCZOS)
        .crop((10, 0, 42, 32))
    )
    assert np.abs(ready.premultiplied[:3].transpose(1, 2, 0) * 255 - reference).max() < 1.01


def test_a_clear_ground_is_padded_not_cropped():
    rgba = np.zeros((20, 60, 4), np.uint8)
    rgba[:, :] = (200, 100, 50, 255)
    rgba[:2] = 0
    ready = crop_to_bucket(rgba, 64, 32)
    assert ready.premultiplied.shape == (4, 64, 64)
    assert ready.premultiplied[3, :18].max() == 0 and ready.premultiplied[3, 32, 32] == 1
    assert abs(ready.premultiplied[3].mean() - 18 / 60) < 0.02, "all of it is there"
    assert (ready.premultiplied[:3] <= ready.premultiplied[3:] + 1e-6).all(), "premultiplied"
    assert np.allclose(on_white(ready.premultiplied)[:, 0, 0], 1)
