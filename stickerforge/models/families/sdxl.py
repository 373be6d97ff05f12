"""Stable Diffusion XL folders (Podell et al., arXiv:2307.01952).

Shapes: B images; L tokens; D1, D2 widths of the two text encoders.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from stickerforge.models.card import MODEL_INDEX, ModelCard, PipelineIndex, read_schema
from stickerforge.models.families.base import FamilySpec
from stickerforge.models.families.latent_diffusion import (
    LatentDiffusion,
    attention_arguments,
    load_text_encoder,
    load_unet,
)
from stickerforge.sampling.conditioning import Conditioning


class StableDiffusionXL(LatentDiffusion):
    """Two text encoders, a pooled text, and the frame of the image."""

    added = ("text_time",)

    def __init__(
        self, spec: FamilySpec, card: ModelCard, device: torch.device, dtype: torch.dtype
    ) -> None:
        encoders = {
            "text_encoder": load_text_encoder("clip_l", CLIPTextModel, card, device, dtype),
            "text_encoder_2": load_text_encoder(
                "clip_g", CLIPTextModelWithProjection, card, device, dtype, "_2"
            ),
        }
        super().__init__(spec, card, device, load_unet(card, dtype), encoders)

    def encode_windows(self, prompts: Sequence[str]) -> Conditioning:
        """The last but one hidden states side by side, (B, L, D1 + D2), and the second pooled text.

        The empty prompt is encoded as any other.
        """
        first, second = (encoder.encode(prompts) for encoder in self.text_encoders)
        hidden = torch.cat([first.penultimate, second.penultimate], -1)
        return Conditioning({"hidden": hidden, "pooled": second.pooled})

    def encode_prompt(self, texts: Sequence[str], windows: int = 1) -> Conditioning:
        """An empty text is all zeros where the model was trained so."""
        text = super().encode_prompt(texts, windows)
        if not self.zeroes_empty():
            return text
        given = torch.tensor([bool(text) for text in texts], device=text["hidden"].device)
        return Conditioning(
            {
                "hidden": text["hidden"] * given[:, None, None],
                "pooled": text["pooled"] * given[:, None],
            }
        )

    def zeroes_empty(self) -> bool:
        """What `force_zeros_for_empty_prompt` of the pipeline says; true for SDXL's base model."""
        return read_schema(
            self.card.folder / MODEL_INDEX, PipelineIndex
        ).force_zeros_for_empty_prompt

    def predict(self, noisy: Tensor, timestep: Tensor, text: Conditioning) -> Tensor:
        """Noise or velocity; without "frames" the whole of an image of this size is meant."""
        height, width = (side * self.factor for side in noisy.shape[-2:])
        uncropped = torch.tensor([height, width, 0, 0, height, width], device=noisy.device)
        added = {
            "text_embeds": text["pooled"],
            "time_ids": text["frames"] if "frames" in text else uncropped.expand(len(noisy), 6),
        }
        levels, middle = self.control_residuals(noisy, timestep, text, added)
        prediction: Tensor = self.denoiser(
            noisy.to(self.denoiser.dtype),
            timestep,
            text["hidden"],
            cross_attention_kwargs=attention_arguments(text),
            added_cond_kwargs=added,
            down_block_additional_residuals=levels,
            mid_block_additional_residual=middle,
            return_dict=False,
        )[0]
        return prediction.to(noisy.dtype)
