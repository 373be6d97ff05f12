"""rembg's own code on a tiny network: alpha is how far a pixel is from white."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.models.matting import (
    DEFAULT,
    MODELS,
    load_cut_out,
    matting_model,
    weights_file,
    weights_state,
)


def write_network(path):
    """Input (1, 3, 1024, 1024), white at 0.5 in every channel; output (1, 1, 1024, 1024)."""
    # Clipped, since the resampling before it overshoots at edges.
    kernel = numpy_helper.from_array(np.full((1, 3, 1, 1), -1, np.float32), "kernel")
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["input", "kernel"], ["far"]),
            helper.make_node("Clip", ["far", "low", "high"], ["mask"]),
        ],
        "distance-from-white",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 1024, 1024])],
        [helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, 1, 1024, 1024])],
        [
            kernel,
            *(
                numpy_helper.from_array(np.float32(value), name)
                for name, value in (("low", -1.4), ("high", 0.9))
            ),
        ],
    )
    path.parent.mkdir(parents=True)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    for variable in ("REMBG_HOME", "U2NET_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "matting"))


def test_every_matting_model_may_be_used_commercially():
    assert {model.licence for model in MODELS.values()} <= {"Apache-2.0", "MIT"}
    assert "bria-rmbg" not in MODELS
    with pytest.raises(InputError, match="unknown matting model 'bria-rmbg'"):
        matting_model("bria-rmbg")


def written_model():
    """The default model, with a tiny network as its published weights."""
    file = weights_file(MODELS[DEFAULT])
    write_network(file)
    return replace(MODELS[DEFAULT], sha256=hashlib.sha256(file.read_bytes()).hexdigest())


def test_a_dark_square_is_cut_out_of_white():
    model = written_model()
    rgb = np.full((64, 64, 3), 255, np.uint8)
    rgb[16:48, 16:48] = (20, 40, 60)
    premultiplied = load_cut_out(model, offline=True)(rgb)
    assert premultiplied.shape == (64, 64, 4)
    assert premultiplied[32, 32, 3] > 0.9
    assert premultiplied[2, 2, 3] < 0.05
    np.testing.assert_allclose(premultiplied[32, 32, :3], np.array((20, 40, 60)) / 255, atol=0.05)


def test_the_number_of_threads_stays_that_of_the_user():
    """numba sets it once a process, so a process of its own is asked."""
    code = (
        "import torch\n"
        "from stickerforge.models.matting import load_cut_out, matting_model\n"
        "try:\n"
        "    load_cut_out(matting_model('auto'), offline=True)\n"
        "except Exception:\n"
        "    import rembg, sys\n"
        "    assert 'numba' in sys.modules\n"
        "print(torch.get_num_threads())"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=200
    )
    assert told.stdout.strip() == "1", told.stderr


def test_missing_weights_say_what_to_fetch():
    with pytest.raises(EnvironmentFault) as caught:
        load_cut_out(matting_model("auto"), offline=True)
    assert all(
        word in str(caught.value)
        for word in (DEFAULT, "Apache-2.0", "179 MB", "--set matting=none")
    )


@pytest.mark.parametrize("damage", ["cut short", "other network", "one bit", "old place"])
def test_weights_that_were_not_published_are_not_read(damage, monkeypatch, tmp_path):
    def refuse(*arguments, **options):
        raise AssertionError("weights were read")

    model = written_model()
    weights = weights_file(model)
    data = bytearray(weights.read_bytes())
    if damage == "cut short":
        weights.write_bytes(data[:100])
    elif damage == "one bit":
        data[len(data) // 2] ^= 1
        weights.write_bytes(data)
    else:
        model = MODELS[DEFAULT]  # whose sum this sound network does not have
    if damage == "old place":
        old = tmp_path / "matting" / ".u2net"
        old.mkdir()
        monkeypatch.delenv("U2NET_HOME")
        weights = weights.rename(old / weights.name)
    monkeypatch.setattr("onnxruntime.InferenceSession", refuse)
    with pytest.raises(EnvironmentFault) as caught:
        load_cut_out(model, offline=True)
    assert f"{weights} is damaged: its sha256" in str(caught.value)


def test_the_state_of_weights_is_said():
    assert weights_state(MODELS["isnet-anime"]) == "not here: fetched when first used, 176 MB"
    model = written_model()
    assert weights_state(model) == "intact"
    assert "is damaged" in weights_state(MODELS[DEFAULT])


def test_weights_that_are_fetched_are_checked_before_they_are_read(monkeypatch):
    def fetch(url, known_hash, fname, path, progressbar):
        write_network(weights_file(MODELS["isnet-anime"]))

    monkeypatch.setattr("pooch.retrieve", fetch)
    monkeypatch.setenv("MODEL_CHECKSUM_DISABLED", "1")
    with pytest.raises(EnvironmentFault, match="its sha256 is not the published one"):
        load_cut_out(MODELS["isnet-anime"], offline=False)
