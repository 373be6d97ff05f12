"""Masks of image prompts: where each reference acts, as in plain diffusers."""

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers.models.attention_processor import Attention

from stickerforge.adapters.header import read_file
from stickerforge.adapters.image_prompt import DecoupledAttention, attach_image_prompt
from stickerforge.adapters.kinds import IMAGE
from stickerforge.models.registry import find_model, load_model
from tests.tiny import write_tiny_image_adapter, write_tiny_sdxl

SIDE = 32
FEATURES = {"base": (24,), "plus": (17, 32)}


@pytest.fixture(scope="module")
def deep_sdxl(tmp_path_factory):
    """A Stable Diffusion XL folder with attention at two resolutions."""
    return write_tiny_sdxl(tmp_path_factory.mktemp("models") / "deep-sdxl", deep=True)


@pytest.fixture(params=["sd", "sdxl"])
def folder(request, tiny_sd, deep_sdxl):
    return {"sd": tiny_sd, "sdxl": deep_sdxl}[request.param]


def attach(folder, variant, tmp_path):
    """(model, image adapter on it, the adapter's file)."""
    path = write_tiny_image_adapter(tmp_path / f"{variant}.safetensors", folder, variant)
    model = load_model(find_model(str(folder)), torch.device("cpu"), torch.float32)
    return model, attach_image_prompt(model, IMAGE.read(read_file(path)), "it"), path


def half_masks(number):
    """The left half, and a grey disc on black, (number, 1, 32, 32)."""
    left = torch.zeros(SIDE, SIDE)
    left[:, : SIDE // 2] = 1
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    disc = ((rows - 20) ** 2 + (columns - 21) ** 2 < 80) * 0.7
    return torch.stack([left, disc])[:number, None]


@pytest.mark.parametrize("variant", FEATURES)
@pytest.mark.parametrize("number", [1, 2])
@torch.no_grad()
def test_predictions_are_those_of_plain_diffusers(folder, variant, number, tmp_path):
    model, attached, path = attach(folder, variant, tmp_path)
    random = torch.Generator().manual_seed(1)
    noisy = torch.randn((4, *model.latent_shape(SIDE)), generator=random)  # negative, positive
    text, timestep = model.encode_prompt(["", "", "a dog", "cat"]), torch.tensor(500)
    features = torch.randn((number, *FEATURES[variant]), generator=random)
    scales, masks = [0.6, 0.9][:number], half_masks(number)
    tokens = attached.tokens(features)
    unseen = attached.tokens(torch.zeros_like(features))
    both = torch.stack([unseen, unseen, tokens, tokens])
    attached.weigh(scales, masks=masks)
    attached.activate(1.0)
    ours = model.predict(noisy, timestep, text.including("image_tokens", both))

    kind = StableDiffusionXLPipeline if "xl" in folder.name else StableDiffusionPipeline
    pipeline = kind.from_pretrained(folder)
    pipeline.load_ip_adapter(
        str(path.parent), subfolder="", weight_name=path.name, image_encoder_folder=None
    )
    pipeline.set_ip_adapter_scale([scales])
    nothing = torch.zeros_like(features)
    added = {"image_embeds": [torch.stack([nothing, nothing, features, features])]}
    if "pooled" in text:
        frames = torch.tensor([SIDE, SIDE, 0, 0, SIDE, SIDE]).expand(4, 6)
        added |= {"text_embeds": text["pooled"], "time_ids": frames}
    given = [masks.reshape(1, number, SIDE, SIDE)]
    theirs = pipeline.unet(
        noisy,
        timestep,
        text["hidden"],
        added_cond_kwargs=added,
        cross_attention_kwargs={"ip_adapter_masks": given},
    ).sample
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    attached.weigh(scales)
    everywhere = model.predict(noisy, timestep, text.including("image_tokens", both))
    assert not torch.allclose(ours, everywhere, atol=1e-3)


@torch.no_grad()
def test_a_white_mask_is_none_and_a_black_one_no_picture(folder, tmp_path):
    model, attached, _ = attach(folder, "base", tmp_path)
    random = torch.Generator().manual_seed(1)
    noisy = torch.randn((2, *model.latent_shape(SIDE)), generator=random)
    text, timestep = model.encode_prompt(["a dog", "cat"]), torch.tensor(500)
    tokens = attached.tokens(torch.randn((2, 24), generator=random))
    attached.activate(1.0)

    def prediction(scales, masks=None):
        attached.weigh(scales, masks=masks)
        own = tokens[: len(scales)]
        return model.predict(
            noisy, timestep, text.including("image_tokens", own.expand(2, *own.shape))
        )

    white, black = torch.ones(1, 1, SIDE, SIDE), torch.zeros(1, 1, SIDE, SIDE)
    close = {"atol": 1e-5, "rtol": 1e-5}
    torch.testing.assert_close(prediction([0.7], white), prediction([0.7]), **close)
    torch.testing.assert_close(prediction([0.7], black), model.predict(noisy, timestep, text))
    first_alone = prediction([0.7, 0.4], torch.cat([white, black]))
    torch.testing.assert_close(first_alone, prediction([0.7]), **close)
    # Grey is a share of what the picture adds in each layer, as its scale is.
    torch.testing.assert_close(prediction([0.8], white / 2), prediction([0.4]), **close)


@torch.no_grad()
def test_positions_where_a_mask_is_black_are_those_of_the_text_to_the_bit():
    torch.manual_seed(0)
    attention = Attention(24, cross_attention_dim=16, heads=3, dim_head=8)
    states, text, image = torch.randn(2, 64, 24), torch.randn(2, 5, 16), torch.randn(2, 1, 4, 16)
    plain = attention(states, encoder_hidden_states=text).reshape(2, 8, 8, 24)
    processor = DecoupledAttention(attention, torch.randn(24, 16), torch.randn(24, 16))
    attention.set_processor(processor)
    processor.use([1.0])
    whole = attention(states, encoder_hidden_states=text, ip_hidden_states=[image])
    processor.use([1.0], half_masks(1))
    masked = attention(states, encoder_hidden_states=text, ip_hidden_states=[image])
    masked, whole = masked.reshape(2, 8, 8, 24), whole.reshape(2, 8, 8, 24)
    assert torch.equal(masked[:, :, 4:], plain[:, :, 4:])
    torch.testing.assert_close(masked[:, :, :4], whole[:, :, :4], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_masks_end_with_the_call(tiny_sd, tmp_path):
    model, attached, _ = attach(tiny_sd, "base", tmp_path)
    attached.weigh([1.0], masks=half_masks(1))
    attached.activate(1.0)
    assert all(processor.masks for _, processor in attached.layers.values())
    attached.weigh([1.0])
    assert all(processor.masks is None for _, processor in attached.layers.values())
