"""What Stable Diffusion 1, 2 and XL share: a UNet, a KL autoencoder, CLIP text towers, a noise schedule.

Shapes: B pictures; C, H, W latent channels, rows, columns; D width of a text tower.
"""

from collections.abc import Mapping
from typing import Any

import diffusers
import torch
import transformers
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    SchedulerMixin,
    UNet2DConditionModel,
)
from safetensors import SafetensorError
from torch import Tensor, nn

from stickerforge.adapters.lora_layers import AdapterSet
from stickerforge.errors import InputError
from stickerforge.models.card import ModelCard, read_json
from stickerforge.models.clip_text import ClipTextEncoder
from stickerforge.objectives.loss_weighting import PredictionType, flow_velocity, interpolate
from stickerforge.runtime.device import memory_fault
from stickerforge.sampling.denoise import Scheduler

SCHEDULERS = {
    "ddim": DDIMScheduler,
    "euler": EulerDiscreteScheduler,
    "dpm++": DPMSolverMultistepScheduler,
}
# What the libraries raise for files that are missing, cut short, or of other shapes than the configuration.
BROKEN = (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError)


class LatentDiffusion:
    """The parts of one folder, on one device. See `Family` for what the methods promise."""

    def __init__(
        self,
        card: ModelCard,
        device: torch.device,
        dtype: torch.dtype,
        towers: Mapping[str, ClipTextEncoder],
    ) -> None:
        """Args:
        towers: by the name of their folder: {"text_encoder": ..., "text_encoder_2": ...}.
        """
        self.card, self.device = card, device
        folder = card.folder
        self.unet = (
            load_part(
                UNet2DConditionModel, folder / "unet", torch_dtype=dtype, use_safetensors=True
            )
            .to(device)
            .eval()
        )
        # In float32 always: it runs once per picture, and the latents that training keeps inherit its errors.
        self.vae = (
            load_part(
                AutoencoderKL, folder / "vae", torch_dtype=torch.float32, use_safetensors=True
            )
            .to(device)
            .eval()
        )
        self.unet.requires_grad_(False)
        self.vae.requires_grad_(False)
        self.towers = list(towers.values())
        self.scheduler_config = read_json(folder / "scheduler" / "scheduler_config.json")
        self.adapters = AdapterSet(
            {"unet": self.unet} | {name: tower.core for name, tower in towers.items()}
        )
        self.factor = 2 ** (len(self.vae.config.block_out_channels) - 1)  # pixels per latent
        self.multiple = self.factor * 2 ** (len(self.unet.config.block_out_channels) - 1)
        self.pixels = int(card.sampling.get("pixels", self.unet.config.sample_size * self.factor))
        self.has_alpha = self.vae.config.out_channels == 4
        flow = str(self.scheduler_config.get("_class_name", "")).startswith("FlowMatch")
        self.schedule = self.named_scheduler(None if flow else DDPMScheduler)
        self.timesteps = int(self.schedule.config.num_train_timesteps)
        self.prediction: PredictionType = "flow" if flow else self.schedule.config.prediction_type

    def latent_shape(self, pixels: int) -> tuple[int, int, int]:
        """(C, H, W); `check_pixels` has made sure that it comes out even."""
        return int(self.unet.config.in_channels), pixels // self.factor, pixels // self.factor

    def named_scheduler(self, kind: Any) -> Any:
        """A scheduler class with the folder's configuration, so that betas and the kind of prediction stay the model's."""
        named = getattr(diffusers, str(self.scheduler_config.get("_class_name")), None)
        if named is None or not issubclass(named, SchedulerMixin):
            raise InputError(
                f"{self.card.folder}/scheduler names no scheduler of diffusers",
                "give another model",
            )
        return (kind or named).from_config(self.scheduler_config)

    def scheduler(self, kind: str, steps: int) -> Scheduler:
        """For denoising in so many steps.

        Raises:
            InputError: another one than its own was asked for on a model that follows a flow.
        """
        if self.prediction == "flow" and kind != "model":
            raise InputError(
                f"{self.card.title} follows a flow, and {kind} is for noise",
                "leave sampling.scheduler=model",
            )
        scheduler: Scheduler = self.named_scheduler(SCHEDULERS.get(kind))
        scheduler.set_timesteps(steps, device=self.device)
        return scheduler

    def unread(self, text: str) -> str:
        """As the first tower reads it."""
        return self.towers[0].unread(text)

    def rows_of(self, words: str) -> dict[str, Tensor]:
        """In each tower."""
        return {tower.name: tower.row_of(words) for tower in self.towers}

    def add_token(self, placeholder: str, rows: Mapping[str, Tensor]) -> dict[str, nn.Parameter]:
        """In each tower.

        Raises:
            InputError: the rows are another model's.
        """
        for tower in self.towers:
            wanted = tower.embedding.base.embedding_dim
            if tower.name not in rows or rows[tower.name].shape != (wanted,):
                raise InputError(
                    f"the token {placeholder} does not fit {self.card.title}",
                    "its adapter was made for another base model",
                )
        return {tower.name: tower.add_token(placeholder, rows[tower.name]) for tower in self.towers}

    def noised(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """sqrt(alpha_bar) latents + sqrt(1 - alpha_bar) noise, or on the straight line between them."""
        if self.prediction == "flow":
            return interpolate(latents, noise, timesteps / self.timesteps)
        noisy: Tensor = self.schedule.add_noise(latents, noise, timesteps)
        return noisy

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """The noise, the velocity sqrt(alpha_bar) noise - sqrt(1 - alpha_bar) latents, the latents, or noise - latents."""
        kinds = {
            "epsilon": lambda: noise,
            "sample": lambda: latents,
            "flow": lambda: flow_velocity(latents, noise),
        }
        kinds["v_prediction"] = lambda: self.schedule.get_velocity(latents, noise, timesteps)
        return kinds[self.prediction]()

    def snr(self, timesteps: Tensor) -> Tensor:
        """alpha_bar / (1 - alpha_bar), or ((1 - sigma) / sigma) squared."""
        if self.prediction == "flow":
            sigma = (timesteps / self.timesteps).clamp(min=1e-4)
            return ((1 - sigma) / sigma).square()
        signal: Tensor = self.schedule.alphas_cumprod.to(timesteps.device)[timesteps]
        return signal / (1 - signal)

    def encode(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Scaled as the denoiser takes them."""
        if self.has_alpha and self.card.alpha != "premultiplied":
            pixels = torch.cat(
                [pixels[:, :3] / pixels[:, 3:].clamp(min=1 / 255), pixels[:, 3:]], 1
            ).clamp(0, 1)
        posterior = self.vae.encode((pixels * 2 - 1).to(self.device, self.vae.dtype)).latent_dist
        shift, scale = self.vae.config.shift_factor or 0.0, self.vae.config.scaling_factor
        return (posterior.mean.float() - shift) * scale, posterior.std.float() * scale

    def decode(self, latents: Tensor) -> Tensor:
        """A straight alpha is premultiplied."""
        scaled = latents / self.vae.config.scaling_factor + (self.vae.config.shift_factor or 0.0)
        pixels: Tensor = (
            self.vae.decode(scaled.to(self.vae.dtype), return_dict=False)[0].float().cpu()
        )
        pixels = (pixels / 2 + 0.5).clamp(0, 1)
        if self.has_alpha and self.card.alpha != "premultiplied":
            pixels[:, :3] *= pixels[:, 3:]
        return pixels


def load_part(kind: Any, folder: Any, **options: Any) -> Any:
    """One component from its own folder, with the libraries' many errors as one of ours.

    Raises:
        InputError: it cannot be read, or is of another kind.
    """
    try:
        return kind.from_pretrained(folder, local_files_only=True, **options)
    except BROKEN as error:
        if memory := memory_fault(error):
            raise memory from error
        why = (
            f"{folder.name} of the model in {folder.parent} cannot be read ({type(error).__name__})"
        )
        raise InputError(
            why, "fetch it again; only safetensors weights are loaded, never pickled ones"
        ) from error


def load_text_encoder(
    name: str,
    kind: Any,
    card: ModelCard,
    device: torch.device,
    dtype: torch.dtype,
    suffix: str = "",
) -> ClipTextEncoder:
    """The text encoder and tokenizer with this suffix in their folders' names."""
    words = load_part(transformers.CLIPTokenizer, card.folder / f"tokenizer{suffix}")
    encoder = load_part(
        kind, card.folder / f"text_encoder{suffix}", dtype=dtype, use_safetensors=True
    )
    return ClipTextEncoder(name, words, encoder.to(device).eval())
