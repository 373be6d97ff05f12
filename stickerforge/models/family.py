"""What every architecture offers: the only view of a model that commands have.

Shapes: B pictures; C, H, W latent channels, rows, columns; L tokens; D text width.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from stickerforge.models.catalog import Card
from stickerforge.sampling.denoising import Scheduler


class Family(Protocol):
    """A loaded model."""

    card: Card
    device: torch.device
    pixels: int  # side of the pictures it was trained on
    has_alpha: bool  # whether `decode` makes four channels

    def latent_shape(self, pixels: int) -> tuple[int, int, int]:
        """(C, H, W) of the latents of a square picture."""

    def scheduler(self, kind: str, steps: int) -> Scheduler:
        """A diffusers scheduler with its timesteps set; "model" is the one the model comes with."""

    def encode_prompt(self, texts: Sequence[str]) -> Tensor:
        """Encoded texts (B, L, D)."""

    def unread(self, text: str) -> str:
        """The end of a text that is beyond the encoder's length; "" where all of it is read."""

    def predict(self, noisy: Tensor, timestep: Tensor, text: Tensor) -> Tensor:
        """What the network was trained to predict, (B, C, H, W)."""

    def decode(self, latents: Tensor) -> Tensor:
        """Pixels in [0, 1] on the CPU: (B, 4, H, W) with premultiplied alpha, or (B, 3, H, W)."""
