import shutil

import pytest
import torch

from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.models.checksums import fingerprint
from stickerforge.models.cost import sampling_cost
from stickerforge.models.registry import find_model, load_model
from tests.tiny import edit_json


@pytest.fixture
def copied(tiny_sd, tmp_path):
    return shutil.copytree(tiny_sd, tmp_path / "copy")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("stickermini", "did you mean 'sticker-mini'"),
        ("sticker-mini@99", "there is no sticker-mini@99"),
        ("", "name is empty"),
        ("qqqq", "give sticker-mini, a diffusers folder"),
    ],
)
def test_unknown_models(name, said):
    with pytest.raises(InputError) as caught:
        find_model(name)
    assert said in str(caught.value)


def test_other_words_for_the_same_thing_change_no_picture_of_sticker_mini():
    model = load_model(find_model("sticker-mini"), torch.device("cpu"), torch.float32)
    both = model.encode_prompt(["a guitar, on a red background", "a guitar, on a red ground"])[
        "hidden"
    ]
    assert torch.equal(both[0], both[1])


def test_a_hub_model_that_is_not_here(monkeypatch, tmp_path):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path))
    with pytest.raises(EnvironmentFault, match="nothing may be fetched"):
        find_model("somebody/some-model", offline=True)


def test_a_folder_that_is_no_model(tmp_path):
    (tmp_path / "file").write_text("")
    for path, said in [
        (tmp_path, "has no model_index.json"),
        (tmp_path / "file", "not a model folder"),
    ]:
        with pytest.raises(InputError, match=said):
            find_model(str(path))


def test_another_kind_of_pipeline_is_named(copied):
    edit_json(copied / "model_index.json", _class_name="FluxPipeline")
    with pytest.raises(
        InputError,
        match=r"holds FLUX.1 \(FluxPipeline\), an architecture that is not supported yet",
    ):
        find_model(str(copied))


@pytest.mark.parametrize(
    "part",
    [
        "unet/config.json",
        "scheduler/scheduler_config.json",
        "vae/diffusion_pytorch_model.safetensors",
    ],
)
def test_a_broken_part_is_one_error(copied, part):
    (copied / part).write_bytes(b"{ broken")
    with pytest.raises(InputError, match="cannot be read|cannot read"):
        load_model(find_model(str(copied)), torch.device("cpu"), torch.float32)


def test_pickled_weights_are_not_loaded(copied):
    weights = copied / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(InputError, match="only pickled weights"):
        load_model(find_model(str(copied)), torch.device("cpu"), torch.float32)


def test_the_fingerprint_follows_weights_and_configuration(copied):
    before = fingerprint(copied)
    assert fingerprint(copied) == before
    weights = copied / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    flipped = fingerprint(copied)
    edit_json(copied / "scheduler" / "scheduler_config.json", beta_end=0.02)
    assert len({before, flipped, fingerprint(copied)}) == 3


def test_cost_grows_with_the_work(tiny_sd):
    card = find_model(str(tiny_sd))
    little = sampling_cost(card, pictures=1, steps=10, guidance=1, pixels=64, cuda=False)
    much = sampling_cost(card, pictures=100, steps=10, guidance=4, pixels=64, cuda=False)
    assert 0 < little.seconds < much.seconds
    assert little.memory_bytes > 1e8
