"""The image encoder of an image adapter: the vision tower of a CLIP, with its projection.

Shapes: B pictures; S side in pixels of what it reads; P patches; E width of its vector or of its
hidden states.
"""

from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image
from torch import Tensor
from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

from stickerforge.errors import InputError
from stickerforge.models.encoders import pad_to_square
from stickerforge.models.image_encoder_place import SETTING
from stickerforge.models.weights import load_complete, load_faults

Fit = Literal["crop", "stretch", "pad"]
Color = tuple[int, int, int]


class ImageEncoder:
    """A CLIPVisionModelWithProjection of transformers."""

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
        self.folder, self.device, self.dtype = folder, device, dtype
        with load_faults(folder, "a CLIPVisionModelWithProjection of transformers"):
            network = load_complete(CLIPVisionModelWithProjection, folder, dtype)
            self.network: Any = network.to(device).eval().requires_grad_(False)
            self.side = int(network.config.image_size)
            # As diffusers prepares pictures, whatever else lies in the folder.
            self.processor: Any = CLIPImageProcessorPil(size=self.side, crop_size=self.side)
            self.vector(torch.zeros(1, 3, self.side, self.side))  # fails now if ever

    def pixels(self, picture: Image.Image, fit: Fit, ground: Color) -> Tensor:
        """A picture as the encoder reads it, normalized, (1, 3, S, S).

        Args:
            picture: RGB, of any size.
            fit: "crop" takes the middle square, "stretch" squeezes all of it into one, "pad" lays
                it on a square of its ground.
        """
        if fit == "pad":
            picture = pad_to_square(picture, ground)
        if fit == "stretch":
            picture = picture.resize((self.side, self.side), Image.Resampling.BICUBIC)
        pixels: Tensor = self.processor(picture, return_tensors="pt").pixel_values
        return pixels

    @torch.inference_mode()
    def vector(self, pixels: Tensor) -> Tensor:
        """The projected vector of pictures, (B, E), float32 on the CPU."""
        return self.finite(self.network(pixels.to(self.device, self.dtype)).image_embeds)

    @torch.inference_mode()
    def patches(self, pixels: Tensor) -> Tensor:
        """The last but one hidden states of pictures, (B, P, E), float32 on the CPU."""
        output = self.network(pixels.to(self.device, self.dtype), output_hidden_states=True)
        return self.finite(output.hidden_states[-2])

    def features(self, pixels: Tensor, variant: str) -> Tensor:
        """What an adapter reads of pictures: (B, E), or (B, P, E) for "plus"."""
        return self.vector(pixels) if variant == "base" else self.patches(pixels)

    def no_features(self, variant: str) -> Tensor:
        """What an adapter reads where there is no picture: (1, E), or (1, P, E) for "plus".

        Zeros for "base"; for "plus" what the encoder makes of zeros in the place of normalized
        pixels, which are a grey picture. The official code trains so.
        """
        if variant == "base":
            return torch.zeros(1, int(self.network.config.projection_dim))
        return self.patches(torch.zeros(1, 3, self.side, self.side))

    def finite(self, features: Tensor) -> Tensor:
        """Features on the CPU.

        Raises:
            InputError: they are no numbers.
        """
        if not bool(features.isfinite().all()):
            raise InputError(
                f"{self.folder} makes features that are not finite", f"give another {SETTING}"
            )
        return features.float().cpu()

    def check_features(self, variant: str, features: int, source: str) -> None:
        """Make sure that it makes what an adapter reads.

        Args:
            features: width of what the adapter reads.
            source: what to call the adapter.

        Raises:
            InputError: it does not.
        """
        config = self.network.config
        own = config.projection_dim if variant == "base" else config.hidden_size
        if own != features:
            raise InputError(
                f"the image encoder {self.folder} makes features of width {own}, and {source} was"
                f" trained on those of width {features}",
                f"give --set {SETTING}=PLACE, the encoder that it was trained with",
            )
