"""Stable Diffusion XL folders (Podell et al., arXiv:2307.01952).

Shapes: B pictures; L tokens; D1, D2 widths of the two towers.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from stickerforge.models.card import ModelCard
from stickerforge.models.families.latent_diffusion import LatentDiffusion, load_text_encoder
from stickerforge.sampling.conditioning import Conditioning


class StableDiffusionXL(LatentDiffusion):
    """Two text towers, a pooled text, and the frame of the picture."""

    def __init__(self, card: ModelCard, device: torch.device, dtype: torch.dtype) -> None:
        towers = {
            "text_encoder": load_text_encoder("clip_l", CLIPTextModel, card, device, dtype),
            "text_encoder_2": load_text_encoder(
                "clip_g", CLIPTextModelWithProjection, card, device, dtype, "_2"
            ),
        }
        super().__init__(card, device, dtype, towers)

    def encode_prompt(self, texts: Sequence[str]) -> Conditioning:
        """The towers' last but one hidden states side by side, (B, L, D1 + D2), and the second one's pooled text.

        An empty text is all zeros where the model was trained so.
        """
        spoken = [self.card.spoken(text) for text in texts]
        first, second = (tower.encode(spoken) for tower in self.towers)
        hidden, pooled = torch.cat([first.penultimate, second.penultimate], -1), second.pooled
        if self.zeroes_empty():
            said = torch.tensor([bool(text) for text in texts], device=hidden.device)
            hidden, pooled = hidden * said[:, None, None], pooled * said[:, None]
        return Conditioning(hidden, pooled)

    def zeroes_empty(self) -> bool:
        """What `force_zeros_for_empty_prompt` of the pipeline says; true for SDXL's base model."""
        from stickerforge.models.card import read_json

        return bool(
            read_json(self.card.folder / "model_index.json").get(
                "force_zeros_for_empty_prompt", True
            )
        )

    def predict(self, noisy: Tensor, timestep: Tensor, text: Conditioning) -> Tensor:
        """Noise or velocity; without frames the whole of a picture of this size is meant."""
        assert text.pooled is not None
        height, width = (side * self.factor for side in noisy.shape[-2:])
        whole = torch.tensor([height, width, 0, 0, height, width], device=noisy.device).expand(
            len(noisy), 6
        )
        added = {
            "text_embeds": text.pooled,
            "time_ids": whole if text.frames is None else text.frames,
        }
        prediction: Tensor = self.unet(
            noisy.to(self.unet.dtype),
            timestep,
            text.hidden,
            added_cond_kwargs=added,
            return_dict=False,
        )[0]
        return prediction.to(noisy.dtype)
