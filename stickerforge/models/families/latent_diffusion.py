"""What latent diffusion models with CLIP text encoders share: autoencoder, tokens, loading.

Shapes: B images; C, H, W latent channels, rows, columns; D width of a text encoder.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTokenizer

from stickerforge.errors import InputError
from stickerforge.models.alpha_decoder import AlphaDecoder
from stickerforge.models.card import ModelCard
from stickerforge.models.clip_text import ClipTextEncoder
from stickerforge.models.control_network import NO_RESIDUALS, ControlNetwork, Residuals
from stickerforge.models.families.base import FamilySpec
from stickerforge.models.long_prompts import LongPrompts
from stickerforge.models.noise_process import load_noise_process
from stickerforge.models.origin import broken_model
from stickerforge.models.pretrained import load_pretrained
from stickerforge.models.prompt_windows import PromptWindows
from stickerforge.models.weights import load_complete, load_faults
from stickerforge.sampling.conditioning import Conditioning

TOKENIZER_FILES = (("tokenizer.json",), ("vocab.json", "merges.txt"))


class LatentDiffusion(ABC):
    """The parts of one folder, on one device. See `DiffusionModel` for what the methods promise."""

    # What the denoiser may take besides timestep and text, in diffusers' words; "text" is made of
    # the text itself.
    added: tuple[str | None, ...] = (None, "text")

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
        self.long_prompts, self.windows = card.long_prompts, PromptWindows(self.text_encoders)
        self.vae = load_vae(card)
        self.vae = self.vae.to(device).eval().requires_grad_(False)
        self.networks: dict[str, nn.Module] = {spec.denoiser: self.denoiser}
        self.networks |= {name: encoder.core for name, encoder in text_encoders.items()}
        self.noise_process = load_noise_process(card, device)
        self.factor = 2 ** (len(self.vae.config.block_out_channels) - 1)  # pixels per latent
        self.multiple = spec.multiple(card.folder)
        self.pixels = int(card.sampling.get("pixels") or spec.native_pixels(card.folder))
        self.takes_alpha = self.vae.config.in_channels == 4
        self.alpha_decoder: AlphaDecoder | None = None
        self.control_network: ControlNetwork | None = None
        self.check_parts()

    @property
    def has_alpha(self) -> bool:
        """By its own decoder, or by the one that is in its place."""
        return self.vae.config.out_channels == 4 or self.alpha_decoder is not None

    def check_parts(self) -> None:
        """Make sure that the parts belong together.

        Raises:
            InputError: they do not, or they are for another task than to draw a picture.
            EnvironmentFault: likewise in what was fetched or installed.
        """
        network, vae = self.denoiser.config, self.vae.config
        widths = network.cross_attention_dim
        width = sum(encoder.embedding.base.embedding_dim for encoder in self.text_encoders)
        pairs = {
            "channels of latents": (network.in_channels, vae.latent_channels),
            "channels of its result": (network.out_channels, vae.latent_channels),
            "widths of texts": (max(widths) if isinstance(widths, list | tuple) else widths, width),
        }
        for what, (found, expected) in pairs.items():
            if found != expected:
                raise broken_model(
                    self.card.folder,
                    f"the parts of {self.card.folder} do not fit each other: {self.spec.denoiser}"
                    f" has {found} for {what}, the other parts {expected}",
                    f"give a {self.spec.pipeline} that draws pictures from prompts",
                )
        if network.addition_embed_type not in self.added:
            raise broken_model(
                self.card.folder,
                f"{self.spec.denoiser} of {self.card.folder} takes what a {self.spec.pipeline}"
                f" does not give: {network.addition_embed_type}",
            )
        if (vae.in_channels, vae.out_channels) not in ((3, 3), (4, 4), (3, 4)):
            raise broken_model(
                self.card.folder / "vae",
                f"{self.card.folder / 'vae'} makes {vae.out_channels} channels of"
                f" {vae.in_channels}: pictures have 3, or 4 with alpha, and none loses it",
            )

    def latent_shape(self, pixels: int) -> tuple[int, int, int]:
        """(C, H, W); `check_pixels` has made sure that it comes out even."""
        side = pixels // self.factor
        return int(self.denoiser.config.in_channels), side, side

    @abstractmethod
    def encode_windows(self, prompts: Sequence[str]) -> Conditioning:
        """Prompts of at most one window as the pipeline of diffusers encodes them."""

    def encode_prompt(self, texts: Sequence[str], windows: int = 1) -> Conditioning:
        """Long ones as `self.long_prompts` says."""
        prompts = [self.card.reword(text) for text in texts]
        return self.windows.encode(self.encode_windows, prompts, self.long_prompts, windows)

    def context_windows(self, text: str) -> int:
        """See `DiffusionModel`."""
        return self.windows.context_windows(self.card.reword(text), self.long_prompts)

    def unread_text(self, text: str) -> str:
        """In the words of the model's captions."""
        return self.windows.unread(self.card.reword(text), self.long_prompts)

    def pad_vector(self) -> list[float]:
        """See `DiffusionModel`."""
        with torch.no_grad():
            hidden = self.encode_windows([""])["hidden"]
            pad = self.windows.pad_vectors(self.encode_windows, 1, hidden, LongPrompts("longalign"))
        return [float(value) for value in pad.flatten()]

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

    def control_residuals(
        self,
        noisy: Tensor,
        timestep: Tensor,
        text: Conditioning,
        added: Mapping[str, Tensor] | None = None,
    ) -> Residuals:
        """What the ControlNet adds to the denoiser; nothing for texts without "control".

        Args:
            added: what the denoiser reads beside the text, in diffusers' words.
        """
        if self.control_network is None or "control" not in text:
            return NO_RESIDUALS
        return self.control_network.residuals(noisy, timestep, text, added)

    def encode(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Scaled as the denoiser takes them."""
        if self.takes_alpha and self.card.alpha != "premultiplied":
            straight = pixels[:, :3] / pixels[:, 3:].clamp(min=1 / 255)
            pixels = torch.cat([straight, pixels[:, 3:]], 1).clamp(0, 1)
        posterior = self.vae.encode((pixels * 2 - 1).to(self.device, self.vae.dtype)).latent_dist
        shift, scale = self.vae.config.shift_factor or 0.0, self.vae.config.scaling_factor
        return (posterior.mean.float() - shift) * scale, posterior.std.float() * scale

    def decode(self, latents: Tensor) -> Tensor:
        """A straight alpha is premultiplied."""
        scaled = latents / self.vae.config.scaling_factor + (self.vae.config.shift_factor or 0.0)
        scaled = scaled.to(self.vae.dtype)
        if self.alpha_decoder is not None:
            decoded: Tensor = self.alpha_decoder(scaled)
        else:
            decoded = self.vae.decode(scaled, return_dict=False)[0]
        pixels = (decoded.float().cpu() / 2 + 0.5).clamp(0, 1)
        if self.alpha_decoder is not None or (
            self.has_alpha and self.card.alpha != "premultiplied"
        ):
            # Not in place: a gradient of what a method makes of the pixels may pass through here.
            pixels = torch.cat([pixels[:, :3] * pixels[:, 3:], pixels[:, 3:]], 1)
        return pixels


def attention_arguments(text: Conditioning) -> dict[str, Any] | None:
    """What a UNet's cross-attention reads beside a text: the tokens (B, 1, T, D) of every reference
    under diffusers' name for them; None where there are none.
    """
    if "image_tokens" not in text:
        return None
    return {"ip_hidden_states": list(torch.split(text["image_tokens"], 1, dim=1))}


def load_unet(card: ModelCard, dtype: torch.dtype) -> UNet2DConditionModel:
    """The UNet of a folder.

    Raises:
        InputError: it cannot be read, or is not complete.
        EnvironmentFault: likewise in what was fetched or installed.
    """
    folder = card.folder / "unet"
    with load_faults(folder, "a UNet of diffusers"):
        return load_complete(UNet2DConditionModel, folder, dtype, exact=True)


def load_vae(card: ModelCard) -> AutoencoderKL:
    """The autoencoder of a folder, in float32.

    It runs once per image, and the latents that training keeps inherit its errors.

    Raises:
        InputError: it cannot be read, or is not complete.
        EnvironmentFault: likewise in what was fetched or installed.
    """
    folder = card.folder / "vae"
    with load_faults(folder, "an AutoencoderKL of diffusers"):
        return load_complete(AutoencoderKL, folder, torch.float32, exact=True)


def load_text_encoder(
    name: str,
    kind: Any,
    card: ModelCard,
    device: torch.device,
    dtype: torch.dtype,
    suffix: str = "",
) -> ClipTextEncoder:
    """The text encoder and tokenizer with this suffix in their folders' names.

    Raises:
        InputError: one cannot be read, is not complete, or does not belong to the other.
        EnvironmentFault: likewise in what was fetched or installed.
    """
    words, folder = card.folder / f"tokenizer{suffix}", card.folder / f"text_encoder{suffix}"
    if not any(all((words / name).exists() for name in names) for names in TOKENIZER_FILES):
        # Without them transformers makes one that knows next to nothing.
        raise broken_model(words, f"{words} lacks {TOKENIZER_FILES[0][0]}")
    with load_faults(words, "a tokenizer of CLIP"):
        tokenizer = load_pretrained(CLIPTokenizer, words)
    with load_faults(folder, "a text encoder of CLIP"):
        network = load_complete(kind, folder, dtype).to(device).eval()
        known, rows = len(tokenizer), int(network.config.vocab_size)
        if known > rows:
            raise broken_model(words, f"{words} has {known} tokens, but {folder.name} only {rows}")
        encoder = ClipTextEncoder(name, tokenizer, network)
        with torch.inference_mode():
            sound = encoder.encode(["a"]).last.isfinite().all()  # fails now if ever
    if not sound:
        raise broken_model(folder, f"{folder} makes numbers of a text that are not finite")
    return encoder
