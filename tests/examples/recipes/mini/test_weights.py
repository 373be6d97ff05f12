"""Weights in two files, and candidates."""

import json

import pytest
import torch

from examples.recipes.mini import (
    weights,
)


def test_weights_travel_in_two_files_of_one_size(tmp_path):
    from safetensors.torch import load_file

    torch.manual_seed(0)
    model = torch.nn.ModuleDict({"unet": torch.nn.Linear(30, 40), "text": torch.nn.Linear(40, 30)})
    weights.write_halves(model, tmp_path, 77)
    files = sorted(tmp_path.glob("*.safetensors"))
    both = [load_file(path) for path in files]
    assert json.loads((tmp_path / "step.json").read_text()) == {"step": 77} and len(files) == 2
    together = both[0] | both[1]
    assert 0.4 < files[0].stat().st_size / sum(path.stat().st_size for path in files) < 0.6
    assert set(together) == set(model.state_dict()) and all(
        value.dtype == torch.float16 for value in together.values()
    )
    torch.testing.assert_close(
        together["text.weight"].float(), model["text"].weight, atol=1e-3, rtol=1e-3
    )


def test_weights_of_two_steps_are_no_candidate(tmp_path):
    model = torch.nn.ModuleDict({"unet": torch.nn.Linear(30, 40), "text": torch.nn.Linear(40, 30)})
    weights.write_halves(model, tmp_path, 77)
    kept = (tmp_path / "weights-1.safetensors").read_bytes()
    weights.write_halves(model, tmp_path, 78)
    assert weights.load_candidate(tmp_path, model) is model
    (tmp_path / "weights-1.safetensors").write_bytes(kept)
    with pytest.raises(SystemExit, match="of different steps"):
        weights.load_candidate(tmp_path, model)
