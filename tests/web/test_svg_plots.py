import re
from xml.etree import ElementTree as ET

import numpy as np

from stickerforge.web.svg_plots import BINS, HEIGHT, histogram


def test_the_bars_are_the_counts():
    values = np.random.default_rng(0).normal(3, 1, 400)
    svg = ET.fromstring(histogram(values, "halo <&>"))
    counts = np.histogram(values, BINS)[0]
    heights = [float(bar.get("height")) for bar in svg.iter("rect")]
    np.testing.assert_allclose(heights, HEIGHT * counts[counts > 0] / counts.max(), atol=0.051)
    for bar in svg.iter("rect"):
        assert abs(float(bar.get("y")) + float(bar.get("height")) - HEIGHT) < 0.11
    low, high = (text.text for text in svg.iter("text"))
    assert (low, high) == (f"{values.min():.3g}", f"{values.max():.3g}")
    assert svg.find("title").text == f"halo <&>: 400 pictures from {low} to {high}"


def test_equal_values_are_one_bar():
    assert len(re.findall("<rect", histogram([2.0, 2.0], "same"))) == 1
