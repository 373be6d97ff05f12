"""What every architecture offers: the only view of a model that commands and training have.

Shapes: B pictures; C, H, W latent channels, rows, columns; D width of a text tower.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from stickerforge.adapters.lora_layers import AdapterSet
from stickerforge.models.card import ModelCard
from stickerforge.objectives.loss_weighting import PredictionType
from stickerforge.sampling.conditioning import Conditioning
from stickerforge.sampling.denoise import Scheduler


class DiffusionModel(Protocol):
    """A loaded model."""

    card: ModelCard
    device: torch.device
    pixels: int  # side of the pictures it was trained on
    multiple: int  # sides of pictures must be multiples of this many pixels
    has_alpha: bool  # whether pictures have four channels
    adapters: AdapterSet
    timesteps: int  # of the noise schedule it was trained with
    prediction: PredictionType  # what its network predicts

    def latent_shape(self, pixels: int) -> tuple[int, int, int]:
        """(C, H, W) of the latents of a square picture."""

    def scheduler(self, kind: str, steps: int) -> Scheduler:
        """A diffusers scheduler with its timesteps set; "model" is the one the model comes with."""

    def encode_prompt(self, texts: Sequence[str]) -> Conditioning:
        """Encoded texts, B of them."""

    def unread(self, text: str) -> str:
        """The end of a text that is beyond the encoder's length; "" where all of it is read."""

    def rows_of(self, words: str) -> dict[str, Tensor]:
        """The embedding that words have in each text tower, (D,) float32: where a new token starts."""

    def add_token(self, placeholder: str, rows: Mapping[str, Tensor]) -> dict[str, nn.Parameter]:
        """Make a placeholder one token with these embeddings (D,); returns them as parameters."""

    def predict(self, noisy: Tensor, timestep: Tensor, text: Conditioning) -> Tensor:
        """What the network was trained to predict, (B, C, H, W); timestep () or (B,)."""

    def noised(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Latents (B, C, H, W) at timesteps (B,) of the model's noise schedule."""

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What `predict` should give for `noised`: the noise, or the velocity, (B, C, H, W)."""

    def snr(self, timesteps: Tensor) -> Tensor:
        """Signal-to-noise ratio at timesteps, (B,)."""

    def encode(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the latents, (B, C, H, W) each, of pixels in [0, 1] as `decode` makes them."""

    def decode(self, latents: Tensor) -> Tensor:
        """Pixels in [0, 1] on the CPU: (B, 4, H, W) with premultiplied alpha, or (B, 3, H, W)."""
