"""Stable Diffusion 1.x and 2.x folders, and sticker-mini, which has the same parts in small."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import CLIPTextModel

from stickerforge.models.card import ModelCard
from stickerforge.models.families.latent_diffusion import LatentDiffusion, load_text_encoder
from stickerforge.sampling.conditioning import Conditioning


class StableDiffusion(LatentDiffusion):
    """One text tower; the network takes its last hidden state."""

    def __init__(self, card: ModelCard, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__(
            card,
            device,
            dtype,
            {"text_encoder": load_text_encoder("clip_l", CLIPTextModel, card, device, dtype)},
        )

    def encode_prompt(self, texts: Sequence[str]) -> Conditioning:
        """The encoder's last hidden state, padded to its full length."""
        return Conditioning(self.towers[0].encode([self.card.spoken(text) for text in texts]).last)

    def predict(self, noisy: Tensor, timestep: Tensor, text: Conditioning) -> Tensor:
        """Noise or velocity, as the scheduler's configuration says."""
        prediction: Tensor = self.unet(
            noisy.to(self.unet.dtype), timestep, text.hidden, return_dict=False
        )[0]
        return prediction.to(noisy.dtype)
