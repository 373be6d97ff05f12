"""Stable Diffusion 1.x and 2.x folders, and sticker-mini, which has the same parts in small."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import CLIPTextModel

from stickerforge.models.card import ModelCard
from stickerforge.models.families.base import FamilySpec
from stickerforge.models.families.latent_diffusion import (
    LatentDiffusion,
    attention_arguments,
    load_text_encoder,
    load_unet,
)
from stickerforge.sampling.conditioning import Conditioning


class StableDiffusion(LatentDiffusion):
    """One text encoder; the network takes its last hidden state."""

    def __init__(
        self, spec: FamilySpec, card: ModelCard, device: torch.device, dtype: torch.dtype
    ) -> None:
        encoder = load_text_encoder("clip_l", CLIPTextModel, card, device, dtype)
        super().__init__(spec, card, device, load_unet(card, dtype), {"text_encoder": encoder})

    def encode_windows(self, prompts: Sequence[str]) -> Conditioning:
        """The encoder's last hidden state, padded to its full length."""
        return Conditioning({"hidden": self.text_encoders[0].encode(prompts).last})

    def predict(self, noisy: Tensor, timestep: Tensor, text: Conditioning) -> Tensor:
        """Noise or velocity, as the scheduler's configuration says."""
        levels, middle = self.control_residuals(noisy, timestep, text)
        prediction: Tensor = self.denoiser(
            noisy.to(self.denoiser.dtype),
            timestep,
            text["hidden"],
            cross_attention_kwargs=attention_arguments(text),
            down_block_additional_residuals=levels,
            mid_block_additional_residual=middle,
            return_dict=False,
        )[0]
        return prediction.to(noisy.dtype)
