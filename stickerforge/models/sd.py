"""Stable Diffusion 1.x and 2.x folders, and sticker-mini, which has the same parts in small.

Shapes: B pictures; C, H, W latent channels, rows, columns; L tokens; D text width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    SchedulerMixin,
    UNet2DConditionModel,
)
from safetensors import SafetensorError
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from stickerforge.errors import InputError
from stickerforge.models.catalog import Card, read_json
from stickerforge.runtime.device import out_of_memory
from stickerforge.sampling.denoising import Scheduler

SCHEDULERS = {"ddim": DDIMScheduler, "euler": EulerDiscreteScheduler, "dpm++": DPMSolverMultistepScheduler}
# What the libraries raise for files that are missing, cut short, or of other shapes than the configuration.
BROKEN = (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError)


@dataclass
class StableDiffusion:
    """The parts of one folder, on one device. See `Family` for what the methods promise."""

    card: Card
    device: torch.device
    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    scheduler_config: dict[str, Any]

    def __post_init__(self) -> None:
        self.factor = 2 ** (len(self.vae.config.block_out_channels) - 1)  # pixels per latent
        self.pixels = int(self.card.sampling.get("pixels", self.unet.config.sample_size * self.factor))
        self.has_alpha = self.vae.config.out_channels == 4

    def latent_shape(self, pixels: int) -> tuple[int, int, int]:
        """(C, H, W); `check_pixels` has made sure that it comes out even."""
        return int(self.unet.config.in_channels), pixels // self.factor, pixels // self.factor

    def scheduler(self, kind: str, steps: int) -> Scheduler:
        """From the folder's configuration, so that betas and the kind of prediction stay the model's."""
        named = getattr(diffusers, str(self.scheduler_config.get("_class_name")), None)
        if named is None or not issubclass(named, SchedulerMixin):
            raise InputError(f"{self.card.folder}/scheduler names no scheduler of diffusers", "give another model")
        scheduler: Scheduler = SCHEDULERS.get(kind, named).from_config(self.scheduler_config)
        scheduler.set_timesteps(steps, device=self.device)
        return scheduler

    @torch.inference_mode()
    def encode_prompt(self, texts: Sequence[str]) -> Tensor:
        """The encoder's last hidden state, padded to its full length, (B, L, D)."""
        length = self.tokenizer.model_max_length
        tokens = self.tokenizer(list(texts), padding="max_length", truncation=True, max_length=length, return_tensors="pt")
        hidden: Tensor = self.text_encoder(tokens.input_ids.to(self.device)).last_hidden_state
        return hidden

    def unread(self, text: str) -> str:
        """Decoded from the tokens that do not fit between start and end of text."""
        ids = self.tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        return str(self.tokenizer.decode(ids[self.tokenizer.model_max_length - 2 :]))

    @torch.inference_mode()
    def predict(self, noisy: Tensor, timestep: Tensor, text: Tensor) -> Tensor:
        """Noise or velocity, as the scheduler's configuration says."""
        prediction: Tensor = self.unet(noisy.to(self.unet.dtype), timestep, text, return_dict=False)[0]
        return prediction.to(noisy.dtype)

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Tensor:
        """Pixels in [0, 1]; a straight alpha is premultiplied."""
        scaled = latents / self.vae.config.scaling_factor + (self.vae.config.shift_factor or 0.0)
        pixels: Tensor = self.vae.decode(scaled.to(self.vae.dtype), return_dict=False)[0].float().cpu()
        pixels = (pixels / 2 + 0.5).clamp(0, 1)
        if self.has_alpha and self.card.alpha != "premultiplied":
            pixels[:, :3] *= pixels[:, 3:]
        return pixels


def load(card: Card, device: torch.device, dtype: torch.dtype) -> StableDiffusion:
    """Read a folder's parts; safetensors only, nothing is fetched.

    Raises:
        InputError: a part cannot be read, or is of another kind.
    """
    transformers.logging.set_verbosity_error()
    diffusers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    diffusers.logging.disable_progress_bar()
    folder = card.folder
    return StableDiffusion(
        card=card,
        device=device,
        tokenizer=part(CLIPTokenizer, folder / "tokenizer"),
        text_encoder=part(CLIPTextModel, folder / "text_encoder", dtype=dtype, use_safetensors=True).to(device).eval(),
        unet=part(UNet2DConditionModel, folder / "unet", torch_dtype=dtype, use_safetensors=True).to(device).eval(),
        vae=part(AutoencoderKL, folder / "vae", torch_dtype=dtype, use_safetensors=True).to(device).eval(),
        scheduler_config=read_json(folder / "scheduler" / "scheduler_config.json"),
    )


def part(kind: Any, folder: Path, **options: Any) -> Any:
    """One component from its own folder, with the libraries' many errors as one of ours."""
    try:
        return kind.from_pretrained(folder, local_files_only=True, **options)
    except BROKEN as error:
        if memory := out_of_memory(error):
            raise memory from error
        why = f"{folder.name} of the model in {folder.parent} cannot be read ({type(error).__name__})"
        raise InputError(why, "fetch it again; only safetensors weights are loaded, never pickled ones") from error
