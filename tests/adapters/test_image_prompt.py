"""Image adapters: the file in the official layout, and decoupled cross-attention on a model."""

import os
import subprocess
import sys

import pytest
import torch
from diffusers import (
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from safetensors.torch import load_file, save_file

from stickerforge.adapters import image_prompt_format, store
from stickerforge.adapters.header import parse_file, read_file
from stickerforge.adapters.image_projection import (
    build_projection,
    load_projection,
    module_names,
    official_names,
)
from stickerforge.adapters.image_prompt import (
    DecoupledAttention,
    attach_image_prompt,
    cross_attentions,
    image_prompt_weights,
    initial_pairs,
)
from stickerforge.adapters.image_prompt_weights import ImagePromptShape, ImagePromptWeights
from stickerforge.adapters.kinds import IMAGE, KINDS, LORA, kind_of
from stickerforge.adapters.sources import read_source
from stickerforge.errors import InputError
from stickerforge.models.registry import find_model, load_model
from tests.tiny import tiny_image_adapter, write_tiny_image_adapter, write_tiny_sd

VARIANTS = ("base", "plus")
FEATURES = {"base": (24,), "plus": (17, 32)}


def model_of(folder):
    return load_model(find_model(str(folder)), torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module", params=["sd", "sdxl"])
def folder(request, tiny_sd, tiny_sdxl):
    return {"sd": tiny_sd, "sdxl": tiny_sdxl}[request.param]


@pytest.fixture(params=VARIANTS)
def variant(request):
    return request.param


def weights_of(folder, variant, tmp_path, **options):
    path = write_tiny_image_adapter(tmp_path / f"{variant}.safetensors", folder, variant, **options)
    return IMAGE.read(read_file(path))


def random_features(variant, number=1, seed=3):
    random = torch.Generator().manual_seed(seed)
    return torch.randn((number, *FEATURES[variant]), generator=random)


def inputs(model, batch=2):
    random = torch.Generator().manual_seed(1)
    noisy = torch.randn((batch, *model.latent_shape(32)), generator=random)
    return noisy, torch.tensor(500), model.encode_prompt(["a dog", "cat"][:batch])


def with_tokens(text, tokens):
    return text.including("image_tokens", tokens.expand(len(text), *tokens.shape))


@torch.no_grad()
def test_scale_0_is_the_model_without_it_to_the_bit(folder, variant, tmp_path):
    model = model_of(folder)
    noisy, timestep, text = inputs(model)
    before = model.predict(noisy, timestep, text)
    attached = attach_image_prompt(model, weights_of(folder, variant, tmp_path), "it")
    assert torch.equal(model.predict(noisy, timestep, text), before)
    told = with_tokens(text, attached.tokens(random_features(variant)))
    attached.weigh([1.0])
    attached.activate(1.0)
    assert not torch.equal(model.predict(noisy, timestep, told), before)
    assert torch.equal(model.predict(noisy, timestep, text), before)  # a text alone
    attached.activate(0.0)
    assert torch.equal(model.predict(noisy, timestep, told), before)
    attached.weigh([0.0])
    attached.activate(1.0)
    assert torch.equal(model.predict(noisy, timestep, told), before)
    attached.deactivate()
    assert torch.equal(model.predict(noisy, timestep, text), before)
    kinds = {type(processor) for processor in model.denoiser.attn_processors.values()}
    assert kinds == {AttnProcessor2_0}


@pytest.mark.parametrize("scale", [0.0, 0.3, 1.0, 2.0])
@torch.no_grad()
def test_the_branch_of_the_image_is_that_of_the_text_where_both_are_the_same(scale):
    """W' = W and c_i = c_t: (1 + scale) Attn, before the output projection."""
    torch.manual_seed(0)
    attention = Attention(24, cross_attention_dim=16, heads=3, dim_head=8, out_bias=False)
    states, text = torch.randn(2, 10, 24), torch.randn(2, 5, 16)
    plain = attention(states, encoder_hidden_states=text)
    processor = DecoupledAttention(
        attention, attention.to_k.weight.detach(), attention.to_v.weight.detach()
    )
    attention.set_processor(processor)
    processor.use([scale])
    both = attention(states, encoder_hidden_states=text, ip_hidden_states=[text[:, None]])
    torch.testing.assert_close(both, (1 + scale) * plain, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_mask_of_the_text_does_not_hide_the_picture():
    torch.manual_seed(0)
    attention = Attention(24, cross_attention_dim=16, heads=3, dim_head=8)
    states, text, image = torch.randn(1, 6, 24), torch.randn(1, 5, 16), torch.randn(1, 1, 4, 16)
    processor = DecoupledAttention(attention, torch.randn(24, 16), torch.randn(24, 16))
    mask = torch.tensor([[0.0, 0.0, -10000.0, -10000.0, -10000.0]])[:, None]
    short = attention(states, encoder_hidden_states=text[:, :2])
    plain = attention(states, encoder_hidden_states=text, attention_mask=mask)
    torch.testing.assert_close(plain, short)
    attention.set_processor(processor)
    processor.use([1.0])
    masked = attention(
        states, encoder_hidden_states=text, attention_mask=mask, ip_hidden_states=[image]
    )
    cut = attention(states, encoder_hidden_states=text[:, :2], ip_hidden_states=[image])
    torch.testing.assert_close(masked, cut)


@torch.no_grad()
def test_a_reference_of_scale_0_is_none_and_their_order_is_nothing(folder, variant, tmp_path):
    model = model_of(folder)
    noisy, timestep, text = inputs(model)
    attached = attach_image_prompt(model, weights_of(folder, variant, tmp_path), "it")
    tokens = attached.tokens(random_features(variant, 2))

    def prediction(scales, tokens):
        attached.weigh(scales)
        attached.activate(1.0)
        return model.predict(noisy, timestep, with_tokens(text, tokens))

    one = prediction([0.7], tokens[:1])
    assert torch.equal(prediction([0.7, 0.0], tokens), one)
    both = prediction([0.7, 0.4], tokens)
    torch.testing.assert_close(prediction([0.4, 0.7], tokens.flip(0)), both, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(both, one)


def pipeline_of(folder, path):
    kind = StableDiffusionXLPipeline if "xl" in folder.name else StableDiffusionPipeline
    pipeline = kind.from_pretrained(folder)
    pipeline.load_ip_adapter(
        str(path.parent), subfolder="", weight_name=path.name, image_encoder_folder=None
    )
    return pipeline


@torch.no_grad()
def test_predictions_are_those_of_plain_diffusers(folder, variant, tmp_path):
    model = model_of(folder)
    noisy, timestep, text = inputs(model)
    attached = attach_image_prompt(model, weights_of(folder, variant, tmp_path), "it")
    features = random_features(variant)
    attached.weigh([0.6])
    attached.activate(1.0)
    ours = model.predict(noisy, timestep, with_tokens(text, attached.tokens(features)))
    pipeline = pipeline_of(folder, tmp_path / f"{variant}.safetensors")
    pipeline.set_ip_adapter_scale(0.6)
    added = {"image_embeds": [features.expand(2, *features.shape)]}
    if "pooled" in text:
        frames = torch.tensor([32, 32, 0, 0, 32, 32]).expand(2, 6)
        added |= {"text_embeds": text["pooled"], "time_ids": frames}
    theirs = pipeline.unet(noisy, timestep, text["hidden"], added_cond_kwargs=added).sample
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_names_of_projections_go_there_and_back(tiny_sd, variant, tmp_path):
    weights = weights_of(tiny_sd, variant, tmp_path)
    projection = load_projection(weights)
    back = official_names(projection.state_dict())
    assert back.keys() == weights.projection().keys()
    assert all(torch.equal(back[name], value) for name, value in weights.projection().items())
    assert module_names(back).keys() == projection.state_dict().keys()


def test_what_is_written_is_read_again(tiny_sd, variant, tmp_path, monkeypatch):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    weights = weights_of(tiny_sd, variant, tmp_path)
    adapter = store.save(
        "look",
        weights,
        kind="image",
        base=store.Base("somebody/some-model", "", "0" * 16),
        tokens={},
        phrase="",
        made={"steps": 1},
    )
    found = store.find("look")
    assert found == adapter and KINDS[found.kind] is IMAGE
    again = store.read_weights(found)
    assert again.shape == weights.shape and again.tensors.keys() == weights.tensors.keys()
    assert all(torch.equal(again.tensors[key], weights.tensors[key]) for key in again.tensors)
    assert image_prompt_format.encode(again) == image_prompt_format.encode(weights)
    assert set(load_file(found.path)) == set(tiny_image_adapter(tiny_sd, variant))
    assert kind_of(read_source(store.folder("look"))[0]) is IMAGE
    assert found.path.name in (store.folder("look") / "README.md").read_text()


FRESH = """
import sys, torch
from diffusers import StableDiffusionPipeline
folder, place, name, features, out = sys.argv[1:]
pipeline = StableDiffusionPipeline.from_pretrained(folder)
pipeline.load_ip_adapter(place, subfolder="", weight_name=name, image_encoder_folder=None)
from safetensors.torch import load_file, save_file
given = load_file(features)
with torch.no_grad():
    result = pipeline.unet(
        given["noisy"], torch.tensor(500), given["hidden"],
        added_cond_kwargs={"image_embeds": [given["features"]]},
    ).sample
save_file({"prediction": result}, out)
"""


@torch.no_grad()
def test_a_new_adapter_loads_in_a_fresh_process_of_diffusers(tiny_sd, variant, tmp_path):
    """As training begins: W' = W, a random projection; the file has the official keys."""
    model = model_of(tiny_sd)
    shape = weights_of(tiny_sd, variant, tmp_path).shape
    torch.manual_seed(0)
    projection = build_projection(shape).to_empty(device="cpu")
    for parameter in projection.parameters():
        parameter.normal_(0, 0.3)
    weights = image_prompt_weights(shape, projection, initial_pairs(model.denoiser))
    files = image_prompt_format.encode_files(weights, {"stickerforge.adapter": "look"})
    place = tmp_path / "new"
    place.mkdir()
    (place / "look.safetensors").write_bytes(files["ip-adapter"])
    assert set(load_file(place / "look.safetensors")) == set(tiny_image_adapter(tiny_sd, variant))
    noisy, timestep, text = inputs(model, 1)
    features = random_features(variant)
    attached = attach_image_prompt(model, IMAGE.read(read_file(place / "look.safetensors")), "x")
    attached.weigh([1.0])
    attached.activate(1.0)
    ours = model.predict(noisy, timestep, with_tokens(text, attached.tokens(features)))
    given = {"noisy": noisy, "hidden": text["hidden"], "features": features[None]}
    save_file(given, tmp_path / "given.safetensors")
    out = tmp_path / "out.safetensors"
    subprocess.run(
        [sys.executable, "-c", FRESH, tiny_sd, place, "look.safetensors"]
        + [tmp_path / "given.safetensors", out],
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        check=True,
        capture_output=True,
    )
    theirs = load_file(out)["prediction"]
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_the_base_adapter_of_stable_diffusion_1_5_has_22_million_weights():
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            cross_attention_dim=768, block_out_channels=(320, 640, 1280, 1280)
        )
    pairs = initial_pairs(unet)
    assert list(pairs) == list(range(1, 33, 2))
    layers = {number: len(to_k) for number, (to_k, _) in pairs.items()}
    shape = ImagePromptShape("base", 4, 768, 1024, 0, 0, layers)
    sides = image_prompt_format.expected_shapes(shape)
    total = sum(torch.Size(one).numel() for one in sides.values())
    assert sum(own.numel() for pair in pairs.values() for own in pair) == pytest.approx(
        19.17e6, rel=1e-3
    )
    assert total == pytest.approx(22.3e6, rel=2e-3)
    weights = sum(one.numel() for one in build_projection(shape).parameters())
    assert total == weights + sum(own.numel() for pair in pairs.values() for own in pair)


def test_a_lora_beside_it_and_base_predictions_stay(tiny_sd, tmp_path):
    from stickerforge.adapters.lora_layers import AdapterSet

    model = model_of(tiny_sd)
    noisy, timestep, text = inputs(model)
    before = model.predict(noisy, timestep, text)
    adapters = AdapterSet(model)
    attached = attach_image_prompt(model, weights_of(tiny_sd, "base", tmp_path), "it")
    attached.weigh([0.8])
    attached.activate(1.0)
    told = with_tokens(text, attached.tokens(random_features("base")))
    with torch.no_grad():
        alone = model.predict(noisy, timestep, told)
        for parameter in adapters.add_trainable("lora", 2, "attention", 0):
            parameter.normal_(0, 0.3)
        adapters.activate({"lora": 1.0})
        both = model.predict(noisy, timestep, told)
        with adapters.disabled():
            assert torch.equal(model.predict(noisy, timestep, told), alone)
            assert torch.equal(model.predict(noisy, timestep, text), before)
        assert not torch.allclose(both, alone)
        attached.deactivate()
        lora = model.predict(noisy, timestep, text)
    assert not torch.allclose(lora, before) and not torch.allclose(lora, both)
    assert len(dict(cross_attentions(model.denoiser))) == len(attached.layers)


@torch.no_grad()
def test_a_denoiser_that_also_embeds_its_text_takes_one():
    """sticker-mini does; its own adapter will be trained on this."""
    model = model_of("sticker-mini")
    pairs = initial_pairs(model.denoiser)
    layers = {number: len(to_k) for number, (to_k, _) in pairs.items()}
    shape = ImagePromptShape("base", 4, pairs[1][0].shape[1], 24, 0, 0, layers)
    projection = build_projection(shape).to_empty(device="cpu")
    random = torch.Generator().manual_seed(0)
    for parameter in projection.parameters():
        parameter.normal_(0, 0.3, generator=random)
    attached = attach_image_prompt(model, image_prompt_weights(shape, projection, pairs), "it")
    noisy, timestep = torch.randn(2, *model.latent_shape(model.pixels)), torch.tensor(500)
    text = model.encode_prompt(["a dog", "cat"])
    before = model.predict(noisy, timestep, text)
    told = with_tokens(text, attached.tokens(random_features("base")))
    attached.weigh([1.0])
    attached.activate(0.0)
    assert torch.equal(model.predict(noisy, timestep, told), before)
    attached.activate(1.0)
    drawn = model.predict(noisy, timestep, told)
    assert drawn.isfinite().all() and not torch.allclose(drawn, before)


def refusal(tensors, tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({key: value.contiguous() for key, value in tensors.items()}, path)
    assert kind_of(read_file(path)) is IMAGE
    with pytest.raises(InputError) as raised:
        IMAGE.read(read_file(path))
    return raised.value.message


@pytest.mark.parametrize(
    ("variant", "change", "message"),
    [
        ("base", {"ip_adapter.1.to_q_lora.down.weight": (4, 32)}, "FaceID"),
        ("plus", {"image_proj.perceiver_resampler.proj_in.weight": (4, 4)}, "FaceID"),
        ("base", {"image_proj.proj.weight": None, "image_proj.proj.0.weight": (4, 4)}, "FaceID"),
        ("base", {"image_proj.proj.3.weight": (4,)}, "IP-Adapter Full"),
        ("plus", {"image_proj.latents": None}, "variant that is not known"),
        ("base", {"image_proj.extra": (3,)}, "image_proj.extra, which no"),
        ("base", {"image_proj.proj.bias": None}, "no 'image_proj.proj.bias'"),
        ("base", {"image_proj.norm.weight": None}, "no 'image_proj.norm.weight'"),
        ("plus", {"image_proj.proj_out.weight": None}, "no 'image_proj.proj_out.weight'"),
        ("base", {"ip_adapter.3.to_v_ip.weight": None}, "no 'ip_adapter.3.to_v_ip.weight'"),
        ("base", {"ip_adapter.3.to_v_ip.weight": (3, 3)}, "in shape [3, 3]"),
        ("base", {"ip_adapter.1.to_k_ip.weight": ()}, "absurd shapes"),
        ("plus", {"image_proj.latents": (7,)}, "in shape [7]"),
        ("base", {"image_proj.proj.weight": (7,)}, "absurd shapes"),
    ],
)
def test_other_variants_and_broken_files_are_said(variant, change, message, tiny_sd, tmp_path):
    tensors = tiny_image_adapter(tiny_sd, variant)
    for key, sides in change.items():
        tensors.pop(key, None)
        if sides is not None:
            tensors[key] = torch.ones(sides)
    assert message in refusal(tensors, tmp_path)


def test_other_numbers_of_tokens_and_blocks_are_said(tiny_sd, tmp_path):
    eight = tiny_image_adapter(tiny_sd, "base", tokens=8)
    assert "8 tokens for a picture, and only 4" in refusal(eight, tmp_path)
    for depth in (2, 6):
        other = tiny_image_adapter(tiny_sd, "plus", depth=depth)
        assert f"a resampler of {depth} blocks, and only 4" in refusal(other, tmp_path)


def test_numbers_that_are_none_are_said(tiny_sd, tmp_path):
    tensors = tiny_image_adapter(tiny_sd, "base")
    tensors["image_proj.proj.bias"][0] = float("nan")
    assert "not finite" in refusal(tensors, tmp_path)


def test_a_lora_is_no_image_adapter(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"unet.x.lora_A.weight": torch.ones(2, 2)}, path)
    assert kind_of(read_file(path)) is LORA
    with pytest.raises(InputError, match="no image adapter"):
        IMAGE.read(read_file(path))


def test_an_adapter_of_another_base_is_said(tiny_sd, tiny_sdxl, tmp_path):
    for own, other in ((tiny_sd, tiny_sdxl), (tiny_sdxl, tiny_sd)):
        with pytest.raises(InputError, match="texts of width"):
            attach_image_prompt(model_of(other), weights_of(own, "base", tmp_path), "it")
    weights = weights_of(tiny_sd, "base", tmp_path)
    cut = {key: value for key, value in weights.tensors.items() if ".5." not in key}
    path = tmp_path / "cut"
    shape = image_prompt_format.shape_of(
        parse_file(path, image_prompt_format.encode(ImagePromptWeights(weights.shape, cut)))
    )
    with pytest.raises(InputError, match="another denoiser"):
        attach_image_prompt(model_of(tiny_sd), ImagePromptWeights(shape, cut), "it")


def test_16_bits_stay_and_are_drawn_in_the_precision_of_the_model(tmp_path):
    folder = write_tiny_sd(tmp_path / "sd")
    tensors = {key: value.half() for key, value in tiny_image_adapter(folder, "plus").items()}
    save_file(tensors, tmp_path / "half.safetensors")
    weights = IMAGE.read(read_file(tmp_path / "half.safetensors"))
    again = load_file_bytes(image_prompt_format.encode(weights), tmp_path)
    assert all(value.dtype == torch.float16 for value in again.values())
    attached = attach_image_prompt(model_of(folder), weights, "it")
    assert attached.tokens(random_features("plus")).dtype == torch.float32


def load_file_bytes(content, tmp_path):
    (tmp_path / "again.safetensors").write_bytes(content)
    return load_file(tmp_path / "again.safetensors")


def test_a_folder_with_several_is_said(tiny_sd, tmp_path):
    for variant in VARIANTS:
        write_tiny_image_adapter(tmp_path / f"{variant}.safetensors", tiny_sd, variant)
    with pytest.raises(InputError, match="more than one adapter: base"):
        read_source(tmp_path)
    (tmp_path / "plus.safetensors").unlink()
    assert kind_of(read_source(tmp_path)[0]) is IMAGE
