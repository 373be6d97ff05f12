"""What is read of a network's configuration."""

import pytest

from stickerforge.models.network_config import NetworkConfig, read_network_config
from stickerforge.models.registry import EMBEDDED

READS, PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"


@pytest.mark.parametrize(
    ("kinds", "halvings"),
    [((READS, READS, READS, PLAIN), 0), ((PLAIN, READS, READS), 1), ((PLAIN,), 0), ((), 0)],
)
def test_the_largest_layer_that_reads_text(kinds, halvings):
    assert NetworkConfig(down_block_types=kinds).halvings_before_text == halvings


def test_that_of_sticker_mini_has_8_x_8_positions():
    folder = EMBEDDED["sticker-mini"]
    parts = [read_network_config(folder / part) for part in ("vae", "unet")]
    assert 128 >> (parts[0].halvings + parts[1].halvings_before_text) == 8
