"""Latents in a file: the same values, nothing in the folder, and what happens to a full disk."""

import pytest
import torch

from stickerforge.errors import EnvironmentFault
from stickerforge.training.latent_file import LatentFile


def test_tensors_come_back_as_they_were(tmp_path):
    tensors = [torch.randn(shape) for shape in ((4, 8, 8), (4, 6, 10), (4, 8, 8), (1,))]
    file = LatentFile(tmp_path / "run")
    for tensor in tensors:
        file.append(tensor)
    back = file.tensors()
    assert all(torch.equal(one, two) for one, two in zip(tensors, back, strict=True))
    assert list((tmp_path / "run").iterdir()) == []  # nothing to remove after a crash
    del file
    assert torch.equal(back[1], tensors[1])


def test_none_and_half_precision(tmp_path):
    file = LatentFile(tmp_path)
    assert file.tensors() == []
    file.append(torch.ones(2, 2, dtype=torch.float16).T)
    assert file.tensors()[0].tolist() == [[1, 1], [1, 1]]


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    file = LatentFile(tmp_path)

    class Full:
        def write(self, content):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(file, "file", Full())
    with pytest.raises(EnvironmentFault, match="is full"):
        file.append(torch.ones(3))
