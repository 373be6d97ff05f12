"""Estimates from the sizes of the parts."""

import pytest
import torch
from safetensors.torch import save_file

from stickerforge.models.cost import is_half


@pytest.mark.parametrize(
    ("dtype", "half"), [(torch.float32, False), (torch.float16, True), (torch.bfloat16, True)]
)
def test_weights_of_sixteen_bits_are_told_by_the_header(tmp_path, dtype, half):
    save_file({"weight": torch.zeros(4, dtype=dtype)}, tmp_path / "model.safetensors")
    assert is_half(tmp_path) is half
