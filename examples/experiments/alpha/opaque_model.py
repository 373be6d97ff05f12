"""A diffusion model of opaque pictures, as most are: sticker-mini without its alpha.

Its encoder is sticker-mini's as it answers to a picture whose alpha is 1 everywhere: the filters of
alpha have become a constant, and whatever it is shown, it knows no alpha. Its decoder has three
channels and begins from nothing (`rgb_decoder.py`). Its denoiser is sticker-mini's after
`tailor prompt` on opaque pictures, white where a sticker is clear.
"""

import json
import shutil
from itertools import count
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file
from torch import nn

from examples.recipes.mini.anchors import add_anchors
from examples.recipes.mini.autoencoder import build_autoencoder
from examples.recipes.mini.caption_sampler import make_caption_sampler
from examples.recipes.mini.dataset_3 import training_world_3
from examples.recipes.mini.settings import LATENT_CHANNELS, MODEL
from examples.recipes.mini.sprites import to_image
from stickerforge.adapters.lora_weights import AdapterWeights

FIRST_SCENE = 2_000_000  # behind those of sticker-mini's training and of the other experiments
CARD = "stickerforge.json"


@torch.no_grad()
def opaque_autoencoder(source: AutoencoderKL) -> AutoencoderKL:
    """One of three channels with the encoder of an RGBA one, and a decoder that knows nothing.

    Latents of opaque pictures are the same but for two cells along the border, where the padding
    has no alpha of 1.

    Args:
        source: of four channels in and out, premultiplied.
    """
    result = build_autoencoder(3)
    add_anchors(result)
    encoder = {
        name: value
        for name, value in source.state_dict().items()
        if name.startswith(("encoder.", "quant_conv."))
    }
    filters = encoder["encoder.conv_in.weight"]
    encoder["encoder.conv_in.weight"] = filters[:, :3]
    encoder["encoder.conv_in.bias"] = encoder["encoder.conv_in.bias"] + filters[:, 3].sum((1, 2))
    unknown = result.load_state_dict(encoder, strict=False)
    assert not unknown.unexpected_keys
    result.post_quant_conv.weight.copy_(torch.eye(LATENT_CHANNELS)[:, :, None, None])
    result.post_quant_conv.bias.zero_()
    return result


def write_model(folder: Path, vae: AutoencoderKL, denoiser: nn.Module | None = None) -> Path:
    """Sticker-mini with another autoencoder, and perhaps another denoiser, as a diffusers folder.

    The card keeps what is recommended for sampling and what the words are; a flat style has no
    inks, which are printed where alpha is.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(MODEL, folder, ignore=shutil.ignore_patterns("vae", "inks.json", "README.md"))
    vae.save_pretrained(folder / "vae")
    if denoiser is not None:
        shutil.rmtree(folder / "unet")
        denoiser.save_pretrained(folder / "unet")
    card = json.loads((MODEL / CARD).read_text())
    for name in ("files", "alpha", "inks", "step", "version", "licence"):
        card.pop(name)
    card |= {"name": folder.name, "about": "sticker-mini without alpha"}
    (folder / CARD).write_text(json.dumps(card, indent=1) + "\n")
    return folder


@torch.no_grad()
def fuse(denoiser: UNet2DConditionModel, weights: AdapterWeights) -> UNet2DConditionModel:
    """The denoiser with an adapter's change in its own weights."""
    layers = dict(denoiser.named_modules())
    for name, factors in weights.lora.items():
        weight = layers[name.removeprefix("unet.")].weight
        weight += factors.delta().reshape(weight.shape).to(weight.dtype)
    return denoiser


def read_denoiser() -> UNet2DConditionModel:
    """Sticker-mini's."""
    return UNet2DConditionModel.from_pretrained(MODEL / "unet", torch_dtype=torch.float32)


def read_autoencoder(folder: Path = MODEL / "vae") -> AutoencoderKL:
    """The autoencoder in a folder, for evaluation."""
    return AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32).eval()


def on_white(premultiplied: np.ndarray) -> np.ndarray:
    """An opaque picture, uint8 (H, W, 4)."""
    return premultiplied + (255 - premultiplied[..., 3:])


def write_captioned(folder: Path, number: int) -> None:
    """Opaque scenes of sticker-mini's kinds with captions, for `tailor prompt`."""
    folder.mkdir(parents=True, exist_ok=True)
    scenes = training_world_3()
    tell, rows = make_caption_sampler(scenes), []
    for index in count(FIRST_SCENE):
        picture, truth = scenes[index]
        text = tell(truth, np.random.default_rng(index)).strip()
        if not text:
            continue
        name = f"{len(rows):05d}.png"
        to_image(on_white(picture)).convert("RGB").save(folder / name)
        rows.append(json.dumps({"file_name": name, "text": text}, ensure_ascii=False))
        if len(rows) == number:
            break
    (folder / "metadata.jsonl").write_text("\n".join(rows) + "\n")


def read_decoder(vae: AutoencoderKL, path: Path) -> AutoencoderKL:
    """The autoencoder with the decoder of a checkpoint of `rgb_decoder.py`."""
    tensors = load_file(path)
    mean = {k.removeprefix("mean/"): v for k, v in tensors.items() if k.startswith("mean/")}
    unknown = vae.load_state_dict(mean, strict=False)
    assert not unknown.unexpected_keys
    return vae
