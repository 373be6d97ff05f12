"""What latent diffusion models with CLIP text encoders share: autoencoder, tokens, loading.

Shapes: B images; C, H, W latent channels, rows, columns; D width of a text encoder.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors import SafetensorError
from torch import Tensor, nn

from stickerforge.errors import InputError
from stickerforge.models.card import ModelCard
from stickerforge.models.clip_text import ClipTextEncoder
from stickerforge.models.families.base import FamilySpec
from stickerforge.models.noise_process import load_noise_process
from stickerforge.models.pretrained import load_network, load_pretrained
from stickerforge.runtime.device import memory_fault

# What the libraries raise for files that are missing, cut short, or of other shapes than the
# configuration.
BROKEN = (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError)


class LatentDiffusion:
    """The parts of one folder, on one device. See `DiffusionModel` for what the methods promise."""

    def __init__(
        self,
        spec: FamilySpec,
        card: ModelCard,
        device: torch.device,
        denoiser: Any,
        text_encoders: Mapping[str, ClipTextEncoder],
    ) -> None:
        """Args:
        denoiser: the network of diffusers that predicts, loaded.
        text_encoders: by the name of their folder: {"text_encoder": ..., "text_encoder_2": ...}.
        """
        self.spec, self.card, self.device = spec, card, device
        self.denoiser = denoiser.to(device).eval().requires_grad_(False)
        self.text_encoders = list(text_encoders.values())
        # In float32 always: it runs once per image, and the latents that training keeps inherit
        # its errors.
        self.vae = load_part(AutoencoderKL, card.folder / "vae", torch_dtype=torch.float32)
        self.vae = self.vae.to(device).eval().requires_grad_(False)
        self.networks: dict[str, nn.Module] = {spec.denoiser: self.denoiser}
        self.networks |= {name: encoder.core for name, encoder in text_encoders.items()}
        self.noise_process = load_noise_process(card, device)
        self.factor = 2 ** (len(self.vae.config.block_out_channels) - 1)  # pixels per latent
        self.multiple = spec.multiple(card.folder)
        self.pixels = int(card.sampling.get("pixels", spec.native_pixels(card.folder)))
        self.has_alpha = self.vae.config.out_channels == 4

    def latent_shape(self, pixels: int) -> tuple[int, int, int]:
        """(C, H, W); `check_pixels` has made sure that it comes out even."""
        side = pixels // self.factor
        return int(self.denoiser.config.in_channels), side, side

    def truncated_text(self, text: str) -> str:
        """As the first text encoder reads it."""
        return self.text_encoders[0].truncated_text(text)

    def word_embeddings(self, words: str) -> dict[str, Tensor]:
        """In each text encoder."""
        return {encoder.name: encoder.mean_embedding(words) for encoder in self.text_encoders}

    def add_token(
        self, placeholder: str, embeddings: Mapping[str, Tensor]
    ) -> dict[str, nn.Parameter]:
        """In each text encoder.

        Raises:
            InputError: the embeddings are those of another model.
        """
        for encoder in self.text_encoders:
            shape = (encoder.embedding.base.embedding_dim,)
            if encoder.name not in embeddings or embeddings[encoder.name].shape != shape:
                raise InputError(
                    f"the token {placeholder} does not fit {self.card.title}",
                    "its adapter was made for another base model",
                )
        return {
            encoder.name: encoder.add_token(placeholder, embeddings[encoder.name])
            for encoder in self.text_encoders
        }

    def encode(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Scaled as the denoiser takes them."""
        if self.has_alpha and self.card.alpha != "premultiplied":
            straight = pixels[:, :3] / pixels[:, 3:].clamp(min=1 / 255)
            pixels = torch.cat([straight, pixels[:, 3:]], 1).clamp(0, 1)
        posterior = self.vae.encode((pixels * 2 - 1).to(self.device, self.vae.dtype)).latent_dist
        shift, scale = self.vae.config.shift_factor or 0.0, self.vae.config.scaling_factor
        return (posterior.mean.float() - shift) * scale, posterior.std.float() * scale

    def decode(self, latents: Tensor) -> Tensor:
        """A straight alpha is premultiplied."""
        scaled = latents / self.vae.config.scaling_factor + (self.vae.config.shift_factor or 0.0)
        decoded: Tensor = self.vae.decode(scaled.to(self.vae.dtype), return_dict=False)[0]
        pixels = (decoded.float().cpu() / 2 + 0.5).clamp(0, 1)
        if self.has_alpha and self.card.alpha != "premultiplied":
            # Not in place: a gradient of what a method makes of the pixels may pass through here.
            pixels = torch.cat([pixels[:, :3] * pixels[:, 3:], pixels[:, 3:]], 1)
        return pixels


def load_part(
    kind: Any, folder: Path, load: Callable[..., Any] = load_network, **options: Any
) -> Any:
    """One component from its own folder, with the libraries' many errors as one of ours.

    Args:
        load: `load_network`, or `load_pretrained` for what has no weights.
        options: of `from_pretrained`.

    Raises:
        InputError: it cannot be read, or is of another kind.
    """
    for library in (transformers, diffusers):
        library.logging.set_verbosity_error()
        library.logging.disable_progress_bar()
    try:
        return load(kind, folder, **options)
    except BROKEN as error:
        if memory := memory_fault(error):
            raise memory from error
        raise InputError(
            f"{folder.name} of the model in {folder.parent} cannot be read"
            f" ({type(error).__name__})",
            "fetch it again; only safetensors weights are loaded, never pickled ones",
        ) from error


def load_unet(card: ModelCard, dtype: torch.dtype) -> UNet2DConditionModel:
    """The UNet of a folder."""
    return load_part(UNet2DConditionModel, card.folder / "unet", torch_dtype=dtype)


def load_text_encoder(
    name: str,
    kind: Any,
    card: ModelCard,
    device: torch.device,
    dtype: torch.dtype,
    suffix: str = "",
) -> ClipTextEncoder:
    """The text encoder and tokenizer with this suffix in their folders' names."""
    tokenizer = load_part(
        transformers.CLIPTokenizer, card.folder / f"tokenizer{suffix}", load_pretrained
    )
    encoder = load_part(kind, card.folder / f"text_encoder{suffix}", dtype=dtype)
    return ClipTextEncoder(name, tokenizer, encoder.to(device).eval())
