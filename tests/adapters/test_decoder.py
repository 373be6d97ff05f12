"""A decoder as an adapter: its file, and a model that draws alpha only while it is on."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from stickerforge.adapters import decoder_format, store, weight_files
from stickerforge.adapters.decoder import attach_decoder
from stickerforge.adapters.decoder_weights import DecoderWeights
from stickerforge.adapters.header import parse_file, read_file
from stickerforge.adapters.kinds import DECODER, KINDS, LORA, kind_of
from stickerforge.adapters.sources import read_source
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.generation.active_adapters import ActiveAdapter
from stickerforge.generation.decoders import check_decoders
from stickerforge.models.alpha_decoder import AlphaDecoder, autoencoder_files, encoder_digest
from stickerforge.models.network_config import has_alpha
from stickerforge.models.registry import find_model, load_model
from tests.tiny import write_tiny_sd


def model_of(folder):
    return load_model(find_model(str(folder)), torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def model(tiny_sd):
    return model_of(tiny_sd)


def weights_of(model):
    """A decoder for a model that has learned something."""
    decoder = AlphaDecoder(model.vae)
    with torch.no_grad():
        for index, parameter in enumerate(decoder.parameters()):
            random = torch.Generator().manual_seed(index)
            parameter.add_(torch.randn(parameter.shape, generator=random) / 50)
    config = {"out_channels": 4, "latent_channels": 4, "block_out_channels": [32, 32]}
    return DecoderWeights(decoder.tensors(), config, encoder_digest(model.vae.state_dict()))


def save(name, weights, folders=None):
    base = store.Base("somebody/some-model", "", "0" * 16)
    return store.save(
        name,
        weights,
        kind="decoder",
        base=base,
        tokens={},
        phrase="",
        made={"steps": 1},
        encoder=weights.encoder,
        folders=folders,
    )


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_what_is_written_is_read_again(model, home):
    weights = weights_of(model)
    adapter = save("clear", weights)
    found = store.find("clear")
    assert found == adapter and KINDS[found.kind] is DECODER and found.encoder == weights.encoder
    again = store.read_weights(found)
    assert again.config == weights.config and again.encoder == weights.encoder
    assert again.tensors.keys() == weights.tensors.keys()
    assert all(torch.equal(again.tensors[key], weights.tensors[key]) for key in again.tensors)
    assert decoder_format.encode(again) == decoder_format.encode(weights)
    assert kind_of(read_file(found.path)) is DECODER
    description = json.loads((store.folder("clear") / "adapter.json").read_text())
    assert description["encoder"] == weights.encoder and "long_prompts" not in description
    readme = (store.folder("clear") / "README.md").read_text()
    assert 'from_pretrained("vae-' in readme and "some-model" in readme


def folders_of(place):
    return sorted(path.name for path in place.iterdir() if path.is_dir())


def other(weights):
    """The same decoder with one number changed."""
    tensors = {key: value.clone() for key, value in weights.tensors.items()}
    next(iter(tensors.values())).flatten()[0] += 1
    return DecoderWeights(tensors, weights.config, weights.encoder)


def test_what_lies_beside_it_is_named_by_it_and_goes_with_it(model, home):
    weights = weights_of(model)
    first = save("clear", weights, {"vae": {"one": b"1"}})
    place = store.folder("clear")
    name = decoder_format.autoencoder_name(first)
    assert folders_of(place) == [name] and (place / name / "one").read_text() == "1"
    assert f'from_pretrained("{name}"' in (place / "README.md").read_text()
    (place / name / "one").write_text("damaged")
    save("clear", weights, {"vae": {"one": b"1"}})
    assert (place / name / "one").read_text() == "1"
    (place / f".{name}-new").mkdir()  # of a call that was killed
    second = save("clear", other(weights), {"vae": {"two": b"2"}})
    assert folders_of(place) == [decoder_format.autoencoder_name(second)] != [name]
    save("clear", weights)
    assert sorted(path.suffix for path in place.iterdir()) == [".json", ".md", ".safetensors"]


@pytest.mark.parametrize("broken", ["two", "adapter.json"])
def test_what_cannot_be_saved_leaves_what_was_there(broken, model, home, monkeypatch):
    weights = weights_of(model)
    first = save("clear", weights, {"vae": {"one": b"1"}})
    place, write = store.folder("clear"), weight_files.write_whole

    def fail(path, content):
        if path.name == broken:
            raise EnvironmentFault("the disk is full", "make room")
        write(path, content)

    with monkeypatch.context() as patch, pytest.raises(EnvironmentFault, match="disk is full"):
        for module in (store, weight_files):
            patch.setattr(module, "write_whole", fail)
        save("clear", other(weights), {"vae": {"one": b"3", "two": b"2"}})
    assert store.find("clear") == first
    assert (place / decoder_format.autoencoder_name(first) / "one").read_text() == "1"
    assert not [name for name in folders_of(place) if name.startswith(".")]


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"stickerforge.encoder": "a" * 16}, "metadata"),
        ({"stickerforge.encoder": "a" * 16, "stickerforge.autoencoder": "{"}, "metadata"),
        ({"stickerforge.encoder": "a" * 16, "stickerforge.autoencoder": "[4]"}, "metadata"),
        (
            {"stickerforge.encoder": "a" * 16, "stickerforge.autoencoder": '{"out_channels": 3}'},
            "metadata",
        ),
        ({"stickerforge.encoder": "?", "stickerforge.autoencoder": '{"out_channels": 4}'}, "meta"),
        ({}, "no decoder"),
    ],
)
def test_a_broken_file_is_said(metadata, message, tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"decoder.conv_in.weight": torch.ones(2)}, path, metadata)
    with pytest.raises(InputError, match=message):
        DECODER.read(read_file(path))


def test_numbers_that_are_none_are_said(model, tmp_path):
    weights = weights_of(model)
    weights.tensors["decoder.conv_in.bias"][0] = float("nan")
    with pytest.raises(InputError, match="not finite"):
        DECODER.read(parse_file(tmp_path / "x", decoder_format.encode(weights)))


@pytest.mark.parametrize(
    "keys", [["decoder.conv_in.weight", "encoder.conv_in.weight"], ["unet.x.lora_A.weight"]]
)
def test_other_files_are_no_decoders(keys, tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({key: torch.ones(2) for key in keys}, path, {"stickerforge.encoder": "a" * 16})
    assert kind_of(read_file(path)) is LORA


@torch.no_grad()
def test_a_model_draws_alpha_while_it_is_on_and_as_ever_when_it_is_off(model):
    latents = torch.randn(2, *model.latent_shape(32))
    picture = torch.rand(1, 3, 32, 32)
    before, encoded = model.decode(latents), model.encode(picture)[0]
    weights = weights_of(model)
    attached = DECODER.attach(model, "adapter0", weights, "clear")
    assert torch.equal(model.decode(latents), before) and not model.has_alpha
    attached.activate(1.0)
    assert model.has_alpha and not model.takes_alpha
    pixels = model.decode(latents)
    assert pixels.shape == (2, 4, 32, 32)
    decoder = AlphaDecoder(model.vae)
    decoder.load_state_dict(weights.tensors)
    straight = (decoder(latents / model.vae.config.scaling_factor) / 2 + 0.5).clamp(0, 1)
    torch.testing.assert_close(pixels[:, 3], straight[:, 3])
    torch.testing.assert_close(pixels[:, :3], straight[:, :3] * straight[:, 3:])
    assert torch.equal(model.encode(picture)[0], encoded)
    other = attach_decoder(model, weights, "other")
    other.deactivate()  # that of another one changes nothing
    assert model.has_alpha
    attached.deactivate()
    assert torch.equal(model.decode(latents), before) and not model.has_alpha


def test_it_fits_models_with_its_encoder_whatever_they_draw_with(model, tiny_sd, tiny_sdxl):
    other = model_of(tiny_sd)
    with torch.no_grad():
        for part in (other.denoiser, other.vae.decoder):
            for parameter in part.parameters():
                parameter.add_(0.01)
    assert attach_decoder(other, weights_of(model), "clear")
    assert attach_decoder(model_of(tiny_sdxl), weights_of(model_of(tiny_sdxl)), "clear")


def test_what_does_not_fit_is_refused(model, tmp_path):
    weights = weights_of(model)
    with pytest.raises(InputError, match="another autoencoder than that of other"):
        attach_decoder(model_of(write_tiny_sd(tmp_path / "other", seed=1)), weights, "clear")
    with pytest.raises(InputError, match="draws alpha itself"):
        attach_decoder(model_of(write_tiny_sd(tmp_path / "rgba", channels=4)), weights, "clear")
    cut = dict(weights.tensors)
    cut.pop("decoder.conv_in.bias")
    with pytest.raises(InputError, match="another autoencoder"):
        attach_decoder(model, replace(weights, tensors=cut), "clear")
    with pytest.raises(InputError, match=r"weight 0\.5"):
        attach_decoder(model, weights, "clear").activate(0.5)


@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_written_beside_it_can_be_the_autoencoder_of_a_model(seed, tmp_path):
    plain = write_tiny_sd(tmp_path / "plain", seed=seed)
    model = model_of(plain)
    weights = weights_of(model)
    attached = attach_decoder(model, weights, "clear")
    own = shutil.copytree(plain, tmp_path / "own")
    for name, content in autoencoder_files(model.vae, weights.tensors).items():
        (own / "vae" / name).write_bytes(content)
    other = model_of(own)
    assert other.has_alpha and not other.takes_alpha and not model.has_alpha
    assert has_alpha(other.card)
    attached.activate(1)
    latents = torch.randn(1, *model.latent_shape(32))
    assert torch.equal(other.decode(latents), model.decode(latents))
    pixels = torch.rand(1, 3, 32, 32)
    assert torch.equal(other.encode(pixels)[0], model.encode(pixels)[0])
    with pytest.raises(InputError, match="draws alpha itself"):
        attach_decoder(other, weights, "clear")


def test_an_autoencoder_that_drops_alpha_is_none_of_a_model(tmp_path):
    folder = write_tiny_sd(tmp_path / "rgba", channels=4)
    config = json.loads((folder / "vae" / "config.json").read_text())
    (folder / "vae" / "config.json").write_text(json.dumps(config | {"out_channels": 3}))
    with pytest.raises(InputError):
        model_of(folder)


@pytest.mark.parametrize("inner", ["", "diffusion_pytorch_model.safetensors"])
def test_the_folder_beside_a_decoder_names_it(inner, model, home):
    weights = weights_of(model)
    adapter = save("clear", weights, {"vae": autoencoder_files(model.vae, weights.tensors)})
    place = store.folder("clear")
    with pytest.raises(InputError, match=f"give --adapter {place}"):
        read_source(place / decoder_format.autoencoder_name(adapter) / inner)
    assert kind_of(read_source(place)[0]) is DECODER
    assert kind_of(read_source(adapter.path)[0]) is DECODER


def test_a_copy_of_another_precision_is_refused_as_that(model, tiny_sd, tmp_path):
    weights = weights_of(model)
    copy = shutil.copytree(tiny_sd, tmp_path / "bfloat16")
    path = copy / "vae" / "diffusion_pytorch_model.safetensors"
    save_file({key: value.bfloat16() for key, value in load_file(path).items()}, path)
    with pytest.raises(InputError, match="another precision of it"):
        attach_decoder(model_of(copy), weights, "clear")
    active = ActiveAdapter("clear", 1.0, "0" * 64, kind=DECODER, weights=weights)
    with pytest.raises(InputError, match="another precision of it"):
        check_decoders([active], find_model(str(copy), offline=True), "1" * 16)
