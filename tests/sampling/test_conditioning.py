"""Every tensor of a conditioning goes through every operation, whatever its name."""

import pytest
import torch

from stickerforge.sampling.conditioning import Conditioning, join


def conditioning(rows, offset=0.0):
    return Conditioning(
        {
            "hidden": torch.arange(rows * 6.0).reshape(rows, 2, 3) + offset,
            "mask": torch.arange(rows * 2.0).reshape(rows, 2) - offset,
        }
    )


def test_rows_are_picked_from_every_tensor():
    text = conditioning(3)
    picked = text.picked([2, 0, 2])
    assert len(picked) == 3
    for name in ("hidden", "mask"):
        assert torch.equal(picked[name], text[name][[2, 0, 2]])


def test_joining_keeps_the_order_and_refuses_other_kinds():
    first, second = conditioning(2), conditioning(1, 100.0)
    both = join(first, second)
    for name in ("hidden", "mask"):
        assert torch.equal(both[name], torch.cat([first[name], second[name]]))
    assert torch.equal(both.picked([2])["hidden"], second["hidden"])
    with pytest.raises(AssertionError):
        join(first, second.including("frames", torch.zeros(1, 6)))


def test_including_leaves_the_original_as_it_was():
    text = conditioning(2)
    framed = text.including("frames", torch.ones(2, 6))
    assert "frames" in framed and "frames" not in text
    assert framed["hidden"] is text["hidden"]
