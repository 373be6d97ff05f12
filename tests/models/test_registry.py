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


@pytest.mark.parametrize(
    ("prompt", "spoken"),
    [
        ("a cat, on a blue background", "a cat, on a blue ground"),
        ("Background: pink", "ground: pink"),
        ("backgrounds", "backgrounds"),
        ("a cat", "a cat"),
        ("", ""),
        ("a <blue-background> on a background", "a <blue-background> on a ground"),
    ],
)
def test_a_model_is_told_in_the_words_of_its_captions(tiny_sd, prompt, spoken):
    assert find_model("sticker-mini").reword(prompt) == spoken
    assert find_model(str(tiny_sd)).reword(prompt) == prompt


@pytest.mark.parametrize(
    ("prompt", "style"),
    [
        ("a cat, in flat style", "flat"),
        ("a cat, Twemoji style", "twemoji"),
        ("It is in flat style, not in twemoji style.", "flat"),
        ("a cat, in noto style", ""),
        ("a flat cat in noto style", ""),
        ("flat stylebook", ""),
        ("", ""),
        ("cat, flat style", "flat"),
        ("in the flat style", "flat"),
        ("flat style", "flat"),
        ("a cat in soft-flat style", ""),
        ("in non-flat style", ""),
        ("no flat style please, in noto style", ""),
        ("in my twemoji style", ""),
        ("cat, in twemojı style", ""),
        ("cat in TWEMOJİ style", ""),
    ],
)
def test_styles_without_shading_are_recognised(tiny_sd, prompt, style):
    assert find_model("sticker-mini").flat_style(prompt) == style
    assert find_model(str(tiny_sd)).flat_style(prompt) == ""


@pytest.mark.parametrize(
    "content",
    [
        '{"flat": ["ff0000", "red"]}',
        '{"flat": []}',
        '{"flat": "ff0000"}',
        "[]",
        "{}",
        '{"": ["ff0000"]}',
    ],
)
def test_broken_inks(copied, content):
    (copied / "inks.json").write_text(content)
    (copied / "stickerforge.json").write_text('{"inks": "inks.json"}')
    with pytest.raises(InputError, match=r"inks\.json"):
        find_model(str(copied))


def test_other_words_for_the_same_thing_change_no_picture_of_sticker_mini():
    family = load_model(find_model("sticker-mini"), torch.device("cpu"), torch.float32)
    both = family.encode_prompt(["a guitar, on a red background", "a guitar, on a red ground"])[
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
    with pytest.raises(InputError, match="holds a FluxPipeline"):
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
    with pytest.raises(InputError, match="cannot be read"):
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
