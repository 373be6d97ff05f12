"""Family specs: what is read from a folder, and a family of a test's own going all the way."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from stickerforge.adapters.lora_layers import AdapterSet
from stickerforge.adapters.lora_weights import LoraWeights
from stickerforge.errors import InputError
from stickerforge.generation.sampler import GuidanceParams, SamplingParams, sample
from stickerforge.models.cost import model_bytes, sampling_cost, weights_bytes
from stickerforge.models.families import specs
from stickerforge.models.families.specs import STABLE_DIFFUSION, STABLE_DIFFUSION_XL, family_spec
from stickerforge.models.families.stable_diffusion import StableDiffusion
from stickerforge.models.registry import check_pixels, find_model, load_model
from stickerforge.sampling.conditioning import Conditioning
from stickerforge.training.optimizer import build_optimizer
from stickerforge.training.trainer import train_step
from tests.tiny import edit_json, write_tiny_sd
from tests.training.setups import CONFIG, method_of

CPU = torch.device("cpu")


def test_facts_of_a_folder(tiny_sd, tiny_sdxl):
    """The tiny autoencoder halves once, the tiny UNet once more; its latents have 16 columns."""
    for folder, spec in ((tiny_sd, STABLE_DIFFUSION), (tiny_sdxl, STABLE_DIFFUSION_XL)):
        assert family_spec(folder) is spec
        assert (spec.native_pixels(folder), spec.multiple(folder)) == (32, 4)
        model = load_model(find_model(str(folder)), CPU, torch.float32)
        assert (model.pixels, model.multiple) == (32, 4)
        assert set(model.networks) == {spec.denoiser, *spec.text_encoders}
    assert family_spec(find_model("sticker-mini").folder) is STABLE_DIFFUSION


def test_sides_that_do_not_halve_are_refused(tiny_sd):
    card = find_model(str(tiny_sd))
    check_pixels(card, 36)
    with pytest.raises(InputError, match="training.resolution = 38 .* multiple of 4"):
        check_pixels(card, 38, "training.resolution")


@pytest.mark.parametrize(
    ("key", "layer"),
    [
        ("unet.mid_block.to_q", "unet.mid_block.to_q"),
        ("mid_block.to_q", "unet.mid_block.to_q"),
        ("lora_unet_mid_block_to_q", "unet.mid_block_to_q"),
        ("lora_te_layers_0", "text_encoder.layers_0"),
        ("lora_te1_layers_0", "text_encoder.layers_0"),
        ("lora_te2_layers_0", "text_encoder_2.layers_0"),
        ("text_encoder_2.layers.0", "text_encoder_2.layers.0"),
    ],
)
def test_keys_of_lora_files(key, layer):
    assert STABLE_DIFFUSION_XL.layer_name(key) == layer


def test_every_part_counts_for_the_memory(tiny_sdxl):
    card = find_model(str(tiny_sdxl))
    parts = ("unet", "vae", "text_encoder", "text_encoder_2")
    assert model_bytes(card) == sum(weights_bytes(tiny_sdxl / part) for part in parts) > 0


class Toy(StableDiffusion):
    """Predicts with a network that is no UNet and goes by another name."""

    def __init__(self, spec, card, device, dtype):
        super().__init__(spec, card, device, dtype)
        torch.manual_seed(0)
        self.denoiser = torch.nn.ModuleDict({"to_v": torch.nn.Linear(64, 4)}).requires_grad_(False)
        self.denoiser.config = SimpleNamespace(in_channels=4)
        self.networks = {
            "transformer": self.denoiser,
            "text_encoder": self.networks["text_encoder"],
        }

    def predict(self, noisy, timestep, text):
        shift = self.denoiser["to_v"](text["hidden"].mean(1))
        return noisy * 0.5 + shift[:, :, None, None]

    def encode_prompt(self, texts, windows=1):
        encoded = super().encode_prompt(texts, windows)
        return Conditioning({**encoded.tensors, "mask": torch.ones(len(texts), 77)})


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A folder of an architecture that only this test knows."""
    spec = replace(
        STABLE_DIFFUSION,
        pipeline="ToyPipeline",
        model="toy.Toy",
        denoiser="transformer",
        parts=(*STABLE_DIFFUSION.parts, "toy"),
        lora_targets={"attention": ("to_v",), "all": ("to_v",)},
        key_prefixes={"lora_toy_": "transformer"},
        native_pixels=lambda folder: 48,
        multiple=lambda folder: 8,
        positions=lambda pixels: pixels / 4,
    )
    monkeypatch.setitem(specs.FAMILIES, "ToyPipeline", spec)
    module = SimpleNamespace(Toy=Toy)
    monkeypatch.setitem(sys.modules, "stickerforge.models.families.toy", module)
    folder = write_tiny_sd(tmp_path / "toy")
    edit_json(folder / "model_index.json", _class_name="ToyPipeline")
    (folder / "toy").mkdir()
    (folder / "transformer").symlink_to(folder / "unet")
    return folder


def test_a_new_family_needs_its_class_and_its_spec(toy):
    card = find_model(str(toy))
    model = load_model(card, CPU, torch.float32)
    assert isinstance(model, Toy) and (model.pixels, model.multiple) == (48, 8)
    with pytest.raises(InputError, match="multiple of 8"):
        check_pixels(card, 36)
    cost = sampling_cost(card, pictures=1, steps=1, guidance=1, pixels=64, cuda=True)
    assert cost.seconds > 0

    text = model.encode_prompt(["a cat"])
    noisy = torch.randn((1, *model.latent_shape(48)), generator=torch.Generator().manual_seed(0))
    before = model.predict(noisy, torch.tensor(5), text)
    adapters = AdapterSet(model)
    down, up = torch.randn(2, 64), torch.randn(4, 2)
    adapters.attach("a", {"lora_toy_to_v": LoraWeights(down, up, 2.0)})
    adapters.activate({"a": 1.0})
    expected = before + (text["hidden"].mean(1) @ (up @ down).T)[:, :, None, None]
    torch.testing.assert_close(model.predict(noisy, torch.tensor(5), text), expected)
    with adapters.disabled():
        assert torch.equal(model.predict(noisy, torch.tensor(5), text), before)
    assert len(adapters.add_trainable("b", 3, "attention", seed=1)) == 2
    with pytest.raises(InputError, match=r"changes transformer\.no\.such"):
        adapters.attach("c", {"no.such": LoraWeights(down, up, 2.0)})


def test_a_new_family_that_follows_a_flow_samples_and_learns(toy):
    FlowMatchEulerDiscreteScheduler(shift=1.0).save_pretrained(toy / "scheduler")
    model = load_model(find_model(str(toy)), CPU, torch.float32)
    assert model.noise_process.prediction == "flow"
    size, guidance = SamplingParams(steps=3, pixels=48), GuidanceParams(scale=3.0)
    before = next(sample(model, ["a dog"], [1], size, guidance))
    assert before.shape == (3, 48, 48)
    method = method_of(model)
    optimizer = build_optimizer(method.parameter_groups(), CONFIG.epsilon)
    for step in range(2):
        train_step(method, optimizer, step, CONFIG.clip)
    assert set(method.weights().lora) == {"transformer.to_v"}
    assert not torch.equal(next(sample(model, ["a dog"], [1], size, guidance)), before)
    with method.train_state.adapters.disabled():
        assert torch.equal(next(sample(model, ["a dog"], [1], size, guidance)), before)


def test_a_folder_that_lacks_a_part_of_its_own_family(toy):
    (toy / "toy").rmdir()
    with pytest.raises(InputError, match="it has no toy"):
        find_model(str(toy))
