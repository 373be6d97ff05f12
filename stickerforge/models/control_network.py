"""A ControlNet: from a control picture and a text to what is added within a denoiser.

Shapes: B images; C, H, W latent channels, rows, columns; S side of the control picture.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel
from torch import Tensor

from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.origin import broken_model
from stickerforge.models.weights import load_complete, load_faults
from stickerforge.sampling.conditioning import Conditioning

Residuals = tuple[list[Tensor] | None, Tensor | None]  # of each level, and of the middle
NO_RESIDUALS: Residuals = (None, None)


class ControlNetwork:
    """A ControlNetModel of diffusers. It reads texts, and no image tokens."""

    def __init__(
        self, folder: Path, device: torch.device, dtype: torch.dtype, scale: float
    ) -> None:
        """Args:
        scale: of all that it adds, 0 to 2.

        Raises:
            InputError: it cannot be read, or is not complete.
            EnvironmentFault: likewise in what was fetched; or memory is full.
        """
        self.folder, self.dtype, self.scale = folder, dtype, scale
        with load_faults(folder, "a ControlNet of diffusers"):
            network = load_complete(ControlNetModel, folder, dtype, exact=True)
            self.network: Any = network.to(device).eval().requires_grad_(False)

    def residuals(
        self,
        noisy: Tensor,
        timestep: Tensor,
        text: Conditioning,
        added: Mapping[str, Tensor] | None,
    ) -> Residuals:
        """What is added to the levels and the middle of a denoiser.

        Args:
            noisy: latents, (B, C, H, W).
            text: with "control", the control pictures in [0, 1], (B, 3, S, S).
            added: what the denoiser reads beside the text, in diffusers' words.
        """
        levels, middle = self.network(
            noisy.to(self.dtype),
            timestep,
            text["hidden"],
            text["control"].to(self.dtype),
            conditioning_scale=self.scale,
            added_cond_kwargs=added,
            return_dict=False,
        )
        return list(levels), middle


def attach_control(model: DiffusionModel, folder: Path, dtype: torch.dtype, scale: float) -> None:
    """Load a ControlNet beside a model, which is put through it once.

    Raises:
        InputError: it cannot be read, fails, or makes numbers that are not finite.
        EnvironmentFault: likewise in what was fetched, or memory is full.
    """
    model.control_network = ControlNetwork(folder, model.device, dtype, scale)
    side = 2 * model.multiple
    with load_faults(folder, "a ControlNet of diffusers"), torch.no_grad():
        latents = torch.zeros((1, *model.latent_shape(side)), device=model.device)
        picture = torch.ones(1, 3, side, side, device=model.device)
        text = model.encode_prompt(["a"]).including("control", picture)
        prediction = model.predict(latents, torch.tensor(1, device=model.device), text)
        if not bool(prediction.isfinite().all()):
            raise broken_model(folder, f"{folder} makes numbers that are not finite")
