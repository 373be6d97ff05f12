"""Networks whose weights are not all there, in every place that loads one."""

import json
import shutil

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from stickerforge.captioning.loading import load_captioner
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.models.encoders import load_encoder
from stickerforge.models.registry import find_model, load_model
from stickerforge.models.rewards import load_reward
from stickerforge.models.weights import find_variant
from stickerforge.runtime.console import Console
from tests.conftest import one_line
from tests.tiny import edit_json

UNET = "unet/diffusion_pytorch_model.safetensors"
VAE = "vae/diffusion_pytorch_model.safetensors"
TEXT = "text_encoder/model.safetensors"


def change(file, edit):
    """Rewrite a file of weights after `edit` has changed the tensors in place."""
    tensors = load_file(file)
    edit(tensors)
    save_file(tensors, file, {"format": "pt"})


def without(name):
    return lambda tensors: tensors.pop(name)


def reshaped(name):
    return lambda tensors: tensors.update({name: torch.zeros(7)})


def with_more(name):
    return lambda tensors: tensors.update({name: torch.zeros(7)})


def halve(folder):
    """Leave only 16-bit variants of all weights below a folder."""
    for file in list(folder.rglob("*.safetensors")):
        half = {key: value.half() for key, value in load_file(file).items()}
        save_file(half, file.with_suffix(".fp16.safetensors"), {"format": "pt"})
        file.unlink()


def load(folder):
    return load_as(folder, torch.float32)


def load_as(folder, dtype):
    return load_model(find_model(str(folder)), torch.device("cpu"), dtype)


@pytest.fixture
def copied(tiny_sd, tmp_path):
    return shutil.copytree(tiny_sd, tmp_path / "copy")


@pytest.mark.parametrize(
    ("file", "edit", "said"),
    [
        (UNET, without("conv_in.bias"), "unet lacks 1 weight, first conv_in.bias;"),
        (VAE, without("decoder.conv_out.weight"), "vae lacks 1 weight, first decoder.conv_out"),
        (TEXT, without("final_layer_norm.bias"), "text_encoder lacks 1 weight, first final_layer"),
        (UNET, reshaped("conv_in.bias"), "unet has conv_in.bias in shape [7], not [32]"),
        (TEXT, reshaped("final_layer_norm.bias"), "has final_layer_norm.bias in shape [7]"),
        (UNET, with_more("add_embedding.linear_1.bias"), "that its config.json does not know"),
        (
            TEXT,
            with_more("encoder.layers.7.layer_norm1.bias"),
            "has 1 weight that its config.json does not know, first encoder.layers.7.layer_norm1",
        ),
    ],
)
def test_parts_of_a_model(copied, file, edit, said):
    change(copied / file, edit)
    with pytest.raises(InputError) as caught:
        load(copied)
    assert said in str(caught.value)


def test_half_of_a_text_encoder_is_not_made_up(cli, copied):
    change(copied / TEXT, lambda tensors: [tensors.pop(key) for key in sorted(tensors)[::2]])
    ended = cli("generate", "a cat", "--model", copied, "--set", "matting=none")
    assert ended.code == 2 and "text_encoder lacks 18 weights, first embeddings." in one_line(ended)


def test_weights_of_other_networks_beside_a_text_encoder_are_no_fault(copied):
    change(copied / TEXT, with_more("logit_scale"))
    load(copied)


def test_what_was_fetched_is_the_environments_fault(copied, tmp_path, monkeypatch):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    fetched = tmp_path / "home" / "hub" / "models--owner--name" / "snapshots" / "0"
    shutil.copytree(copied, fetched)
    change(fetched / VAE, without("decoder.conv_out.bias"))
    with pytest.raises(EnvironmentFault, match="lacks 1 weight.*remove .*models--owner--name and"):
        load(fetched)
    (fetched / "stickerforge.json").write_text("[]")
    with pytest.raises(EnvironmentFault, match="stickerforge.json"):
        find_model(str(fetched))


def test_a_folder_of_16_bit_variants_is_a_model(copied, tiny_sd):
    halve(copied)
    model, exact = load(copied), load(tiny_sd)
    assert model.denoiser.dtype == torch.float32
    weight = next(model.denoiser.parameters())
    assert torch.equal(weight, next(exact.denoiser.parameters()).half().float())


def test_variants_may_lie_beside_each_other_and_in_several_files(copied):
    shutil.copy(copied / TEXT, copied / "text_encoder" / "model.fp16.safetensors")
    assert find_variant(copied / "text_encoder") == ""
    unet = copied / UNET
    tensors = load_file(unet)
    names = [f"diffusion_pytorch_model-0000{i}-of-00002.fp16.safetensors" for i in (1, 2)]
    keys = sorted(tensors)
    parts = [keys[::2], keys[1::2]]
    for name, part in zip(names, parts, strict=True):
        save_file({key: tensors[key].half() for key in part}, unet.with_name(name))
    index = {key: name for name, part in zip(names, parts, strict=True) for key in part}
    unet.with_name("diffusion_pytorch_model.safetensors.index.fp16.json").write_text(
        json.dumps({"metadata": {"total_size": 1}, "weight_map": index})
    )
    unet.unlink()
    assert find_variant(copied / "unet") == "fp16"
    load(copied)
    unet.with_name(names[1]).unlink()
    with pytest.raises(InputError, match="unet lacks diffusion_pytorch_model-00002-of-00002"):
        load(copied)


def test_an_index_names_files_beside_it(copied):
    index = copied / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text('{"weight_map": {"conv_in.bias": "../vae/model.safetensors"}}')
    with pytest.raises(InputError, match="not a file.s name"):
        load(copied)


def test_encoders(clip, tmp_path):
    folder = shutil.copytree(clip, tmp_path / "clip")
    halve(folder)
    load_encoder(str(folder))
    change(folder / "model.fp16.safetensors", without("visual_projection.weight"))
    with pytest.raises(InputError, match="lacks 1 weight, first visual_projection.weight"):
        load_encoder(str(folder))


@pytest.mark.parametrize("kind", ["pickscore", "vqascore"])
def test_rewards(clip, vlm, tmp_path, kind):
    folder = shutil.copytree(vlm if kind == "vqascore" else clip, tmp_path / kind)
    file = folder / "model.safetensors"
    name = min(load_file(file))
    change(file, without(name))
    with pytest.raises(InputError, match="lacks 1 weight, first"):
        load_reward(kind, str(folder))


@pytest.mark.parametrize(
    ("file", "changes", "said"),
    [
        ("text_encoder/config.json", {"num_hidden_layers": 10**9}, "num_hidden_layers is over"),
        ("text_encoder/config.json", {"num_hidden_layers": None}, "cannot be read"),
        ("text_encoder/config.json", {"num_labels": 10**9}, "num_labels is over"),
        ("unet/config.json", {"layers_per_block": 10**6}, "layers_per_block is over"),
        ("unet/config.json", {"sample_size": {}}, "sample_size is {}, not"),
        ("unet/config.json", {"sample_size": 4096}, "is for pictures of 8192 pixels"),
        ("vae/config.json", {"scaling_factor": None}, "scaling_factor is None, not a number"),
        ("scheduler/scheduler_config.json", {"num_train_timesteps": 10**12}, "num_train_timesteps"),
        ("scheduler/scheduler_config.json", {"trained_betas": []}, "trained_betas are not as many"),
        ("scheduler/scheduler_config.json", {"_class_name": "SchedulerMixin"}, "no scheduler"),
        ("tokenizer/tokenizer_config.json", {"model_max_length": 0}, "no token fits"),
        ("tokenizer/tokenizer_config.json", {"pad_token": None}, "cannot be read"),
        ("tokenizer/tokenizer_config.json", {"pad_token": "another"}, "515 tokens"),
        ("model_index.json", {"_class_name": ["pipeline", "Own"]}, "holds pipeline.Own"),
        ("model_index.json", {"_class_name": None}, "names no architecture"),
    ],
)
def test_configurations_are_data(copied, file, changes, said):
    edit_json(copied / file, **changes)
    with pytest.raises(InputError) as caught:
        load(copied)
    assert said in str(caught.value)


@pytest.mark.parametrize("file", ["model_index.json", "unet/config.json", "vae/config.json"])
@pytest.mark.parametrize("text", ['{"a":' * 50_000, '{"a": NaN}', "[]", '{"a": 1e999}'])
def test_json_of_a_model_is_finite(copied, file, text):
    (copied / file).write_text(text)
    with pytest.raises(InputError):
        load(copied)


def test_a_tokenizer_without_words(copied):
    (copied / "tokenizer" / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"tokenizer lacks tokenizer\.json"):
        load(copied)


def test_a_tokenizer_that_does_not_say_how_long_texts_may_be(copied):
    edit_json(copied / "tokenizer" / "tokenizer_config.json", model_max_length=10**30)
    assert load(copied).encode_prompt(["a cat"])["hidden"].shape[1] == 77


def test_weights_that_are_not_finite(copied):
    nan = {"final_layer_norm.bias": torch.full((64,), torch.nan)}
    change(copied / TEXT, lambda tensors: tensors.update(nan))
    with pytest.raises(InputError, match="text_encoder has weights that are not finite"):
        load(copied)


def test_an_autoencoder_that_is_not_finite(copied):
    bias = {"decoder.conv_out.bias": torch.tensor([0, torch.inf, 0])}
    change(copied / VAE, lambda tensors: tensors.update(bias))
    with pytest.raises(InputError, match="vae has weights that are not finite, first decoder.conv"):
        load(copied)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_denoiser_that_is_not_finite(copied, dtype):
    bias = {"conv_in.bias": torch.full((32,), -torch.inf)}
    change(copied / UNET, lambda tensors: tensors.update(bias))
    with pytest.raises(InputError, match="unet has weights that are not finite, first conv_in"):
        load_as(copied, dtype)


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("text_encoder/config.json", {"vocab_size": 20_000_000}),
        ("text_encoder/config.json", {"max_position_embeddings": 10_000_000}),
        ("unet/config.json", {"cross_attention_dim": 20_000_000}),
        ("unet/config.json", {"block_out_channels": [65536, 65536]}),
        ("vae/config.json", {"latent_channels": 65536}),
    ],
)
def test_no_memory_is_taken_for_weights_that_are_not_there(copied, file, changes):
    edit_json(copied / file, **changes)
    with pytest.raises(InputError, match=r"describes \d+ weights, and \d+ are there"):
        load(copied)


@pytest.mark.parametrize("kind", ["dinov2", "clip", "vlm", "blip"])
def test_nor_for_those_of_encoders_and_captioners(request, tmp_path, kind):
    folder = shutil.copytree(request.getfixturevalue(kind), tmp_path / kind)
    config = json.loads((folder / "config.json").read_text())
    part = config.get("text_config", config)
    part["hidden_size"] = 80_000
    part["intermediate_size"] = 10_000_000
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="weights, and"):
        if kind in ("vlm", "blip"):
            load_captioner(str(folder), device="cpu", offline=True, console=Console(quiet=True))
        else:
            load_encoder(str(folder))


def test_a_reward_that_is_not_finite(clip, tmp_path):
    folder = shutil.copytree(clip, tmp_path / "clip")
    nan = {"logit_scale": torch.tensor(torch.nan)}
    change(folder / "model.safetensors", lambda tensors: tensors.update(nan))
    with pytest.raises(InputError, match="not finite, first logit_scale"):
        load_reward("pickscore", str(folder))


@pytest.mark.parametrize(
    ("pipeline", "name"),
    [
        ("StableDiffusion3Pipeline", "Stable Diffusion 3"),
        ("Flux2KleinPipeline", "FLUX.2"),
        ("ZImagePipeline", "Z-Image"),
        ("SanaPipeline", "Sana"),
        ("StableDiffusionInpaintPipeline", "Stable Diffusion for another task"),
    ],
)
def test_an_architecture_that_is_not_supported_is_told_by_its_name(cli, copied, pipeline, name):
    edit_json(copied / "model_index.json", _class_name=pipeline)
    shutil.rmtree(copied / "unet")
    ended = cli("generate", "a cat", "--model", copied)
    assert ended.code == 2
    expected = f"holds {name} ({pipeline}), an architecture that is not supported yet"
    assert expected in one_line(ended)


def test_captioners(cli, blip, tmp_path):
    folder = shutil.copytree(blip, tmp_path / "blip")
    name = "vision_model.post_layernorm.bias"
    change(folder / "model.safetensors", without(name))
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (64, 64), "red").save(tmp_path / "pictures" / "a.png")
    ended = cli("caption", "pictures", "--captioner", folder)
    assert ended.code == 2 and f"lacks 1 weight, first {name}" in one_line(ended)


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("unet", {"norm_eps": "1e-5"}),
        ("unet", {"freq_shift": {}}),
        ("unet", {"freq_shift": 1e400}),
        ("unet", {"flip_sin_to_cos": None, "dropout": "x"}),
        ("vae", {"norm_num_groups": "32"}),
    ],
)
def test_a_configuration_that_the_weights_fit_and_no_picture(copied, part, changes):
    path = copied / part / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes).replace("Infinity", "1e400"))
    with pytest.raises(InputError) as caught:
        load(copied)
    assert str(copied) in caught.value.message


def test_a_denoiser_that_wants_what_no_call_gives(copied):
    path = copied / UNET
    more = {"class_embedding.weight": torch.zeros(10, 128)}
    change(path, lambda tensors: tensors.update(more))
    edit_json(path.with_name("config.json"), num_class_embeds=10)
    with pytest.raises(InputError, match="class_labels should be provided"):
        load(copied)
