import numpy as np

from stickerforge.stickers.color import lab


def test_cielab_of_known_colours():
    """White, sRGB's primaries, and a grey, as CIE 15 has them under D65."""
    colours = np.array(
        [[255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [119, 119, 119], [0, 0, 0]]
    )
    known = [
        [100, 0, 0],
        [53.24, 80.09, 67.2],
        [87.73, -86.18, 83.18],
        [32.3, 79.19, -107.86],
        [50.03, 0, 0],
        [0, 0, 0],
    ]
    np.testing.assert_allclose(lab(colours), known, atol=0.05)
