"""The surgery of a decoder: colours stay the same to the bit, alpha starts where it is said."""

import shutil

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

from stickerforge.errors import InputError
from stickerforge.models.alpha_decoder import (
    AlphaDecoder,
    autoencoder_files,
    encoder_digest,
    folder_encoder_digest,
)

# As published, with fewer channels: both halve thrice and have four latent channels.
SD = {"scaling_factor": 0.18215, "sample_size": 512}
SDXL = {"scaling_factor": 0.13025, "sample_size": 1024, "force_upcast": True}
BARE = {"use_quant_conv": False, "use_post_quant_conv": False, "latent_channels": 16}  # as FLUX.1's


def autoencoder(seed=0, levels=4, **options):
    torch.manual_seed(seed)
    return AutoencoderKL(
        block_out_channels=(32,) * levels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=1,
        **options,
    ).eval()


@pytest.mark.parametrize("options", [SD, SDXL, BARE], ids=["sd", "sdxl", "bare"])
@pytest.mark.parametrize("side", [5, 16])
@torch.no_grad()
def test_colours_are_the_same_to_the_bit_and_alpha_is_their_mean(options, side):
    own = autoencoder(**options)
    latents = torch.randn(2, own.config.latent_channels, side, side)
    before = own.decode(latents).sample
    after = AlphaDecoder(own)(latents)
    assert after.shape == (2, 4, 8 * side, 8 * side)
    assert torch.equal(after[:, :3], before)
    alpha, mean = (after[:, 3] + 1) / 2, ((before + 1) / 2).mean(1)
    assert float((alpha - mean).abs().max()) <= 1e-6
    assert torch.equal(own.decode(latents).sample, before)  # and the autoencoder is left alone


@torch.no_grad()
def test_it_may_start_opaque():
    own = autoencoder()
    latents = torch.randn(1, 4, 4, 4)
    after = AlphaDecoder(own, "opaque")(latents)
    assert torch.equal(after[:, 3], torch.ones_like(after[:, 3]))
    assert torch.equal(after[:, :3], own.decode(latents).sample)


@pytest.mark.parametrize("options", [SD, SDXL, BARE], ids=["sd", "sdxl", "bare"])
@torch.no_grad()
def test_the_whole_is_a_plain_autoencoder_of_diffusers(options, tmp_path):
    own = autoencoder(**options)
    decoder = AlphaDecoder(own)
    for parameter in decoder.parameters():
        parameter.add_(0.01)
    for name, content in autoencoder_files(own, decoder.tensors()).items():
        (tmp_path / name).write_bytes(content)
    loaded = AutoencoderKL.from_pretrained(tmp_path)
    assert (loaded.config.in_channels, loaded.config.out_channels) == (3, 4)
    assert loaded.config.scaling_factor == own.config.scaling_factor
    picture, latents = torch.rand(1, 3, 32, 32), torch.randn(1, own.config.latent_channels, 4, 4)
    assert torch.equal(
        loaded.encode(picture).latent_dist.mean, own.encode(picture).latent_dist.mean
    )
    assert torch.equal(loaded.decode(latents).sample, decoder(latents))


def test_the_digest_is_that_of_the_encoder_alone(tmp_path):
    own = autoencoder()
    digest = encoder_digest(own.state_dict())
    assert len(digest) == 16
    assert encoder_digest(autoencoder(seed=1).state_dict()) != digest
    own.save_pretrained(tmp_path / "plain")
    own.save_pretrained(tmp_path / "fp16", variant="fp16")
    half = load_file(tmp_path / "fp16" / "diffusion_pytorch_model.fp16.safetensors")
    save_file(
        {name: value.half() for name, value in half.items()},
        tmp_path / "fp16" / "diffusion_pytorch_model.fp16.safetensors",
    )
    with torch.no_grad():
        for parameter in own.decoder.parameters():  # as of a decoder that was tuned on alone
            parameter.add_(0.1)
        own.save_pretrained(tmp_path / "tuned")
        own.quant_conv.bias.add_(0.1)
    own.save_pretrained(tmp_path / "other")
    found = {name: folder_encoder_digest(tmp_path / name) for name in ("plain", "fp16", "tuned")}
    assert found == dict.fromkeys(found, digest)
    assert folder_encoder_digest(tmp_path / "other") != digest


def test_the_digest_knows_the_names_of_earlier_versions_of_diffusers(tmp_path):
    own = autoencoder()
    own.save_pretrained(tmp_path)
    path = tmp_path / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    for new, old in (
        ("to_q", "query"),
        ("to_k", "key"),
        ("to_v", "value"),
        ("to_out.0", "proj_attn"),
    ):
        tensors = {name.replace(f".{new}.", f".{old}."): each for name, each in tensors.items()}
    assert not any("to_q" in name for name in tensors)
    save_file(tensors, path)
    assert folder_encoder_digest(tmp_path) == encoder_digest(own.state_dict())
    assert encoder_digest(AutoencoderKL.from_pretrained(tmp_path).state_dict()) == encoder_digest(
        own.state_dict()
    )


def test_a_folder_that_holds_none_is_said(tmp_path):
    folder = tmp_path / "vae"
    autoencoder(levels=2).save_pretrained(folder)
    shutil.copy(folder / "config.json", folder / "diffusion_pytorch_model.safetensors")
    with pytest.raises(InputError, match="cannot be read"):
        folder_encoder_digest(folder)
