"""The image encoders of image adapters: the vision tower of a CLIP, or of a judge that ships.

Shapes: B pictures; S side in pixels of what it reads; C channels; P patches; E width of its vector
or of its hidden states.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

from stickerforge.errors import InputError
from stickerforge.models.encoders import pad_to_square
from stickerforge.models.image_encoder_place import SETTING, EncoderPlace
from stickerforge.models.judge.model import load_judge, on_ground
from stickerforge.models.judge.network import DRAWING_FEATURES
from stickerforge.models.weights import load_complete, load_faults
from stickerforge.runtime.device import default_dtype

Fit = Literal["crop", "stretch", "pad"]
Color = tuple[int, int, int]


class ImageEncoder(Protocol):
    """What reads the pictures of an image adapter.

    Args:
        side: S.
    """

    side: int

    def pixels(self, picture: Image.Image, fit: Fit, ground: Color) -> Tensor:
        """A picture as the encoder reads it, (1, C, S, S).

        Args:
            picture: RGBA, of any size.
            fit: "crop" takes the middle square, "stretch" squeezes all of it into one, "pad" lays
                it on a square of its ground.
            ground: what it is laid on, sRGB.
        """

    def features(self, pixels: Tensor, variant: str) -> Tensor:
        """What an adapter reads of pictures: (B, E), or (B, P, E) for "plus"."""

    def no_features(self, variant: str) -> Tensor:
        """What an adapter reads where there is no picture: (1, E), or (1, P, E) for "plus"."""

    def width(self, variant: str) -> int:
        """E.

        Raises:
            InputError: it makes nothing for this variant.
        """


def load_image_encoder(
    place: EncoderPlace, device: torch.device, *, offline: bool, say: Callable[[str], None]
) -> ImageEncoder:
    """An image encoder, fetched where it is not here yet.

    Raises:
        InputError: it cannot be read.
        EnvironmentFault: it cannot be had here.
    """
    if place.is_judge:
        return JudgeImageEncoder()
    return ClipImageEncoder(place.fetch(offline=offline, say=say), device, default_dtype(device))


class ClipImageEncoder:
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
        """See ImageEncoder: normalized, (1, 3, S, S)."""
        picture = on_ground(picture, ground)
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
        """See ImageEncoder."""
        return self.vector(pixels) if variant == "base" else self.patches(pixels)

    def no_features(self, variant: str) -> Tensor:
        """See ImageEncoder.

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

    def width(self, variant: str) -> int:
        """See ImageEncoder."""
        config = self.network.config
        return int(config.projection_dim if variant == "base" else config.hidden_size)


class JudgeImageEncoder:
    """The second judge: what a picture shows, and how it is drawn, side by side.

    Both parts are brought to mean 0 and variance 1 in every picture. It runs on the CPU.
    """

    def __init__(self) -> None:
        self.judge = load_judge("second")
        self.side = self.judge.network.shape.pixels

    def pixels(self, picture: Image.Image, fit: Fit, ground: Color) -> Tensor:
        """See ImageEncoder: (1, 4, S, S) in [0, 1], colours on the ground and alpha."""
        side = self.side
        if fit == "crop":
            shortest = min(picture.size)
            picture = ImageOps.fit(picture, (shortest, shortest))
        if fit == "stretch":
            square = picture.convert("RGBa").resize((side, side), Image.Resampling.BICUBIC)
            picture = square.convert("RGBA")
        return self.judge.pictures([picture], ground)

    @torch.inference_mode()
    def features(self, pixels: Tensor, variant: str) -> Tensor:
        """See ImageEncoder."""
        found = self.judge.network.features(pixels)
        parts = (found.content, found.drawing)
        return torch.cat([F.layer_norm(part, part.shape[1:]) for part in parts], 1)

    def no_features(self, variant: str) -> Tensor:
        """See ImageEncoder: zeros."""
        return torch.zeros(1, self.width(variant))

    def width(self, variant: str) -> int:
        """See ImageEncoder."""
        if variant != "base":
            raise InputError(
                f"{SETTING}={self.judge.name} reads a picture as one vector", "give --variant base"
            )
        return 2 * self.judge.network.shape.widths[-1] + DRAWING_FEATURES


def check_features(
    encoder: ImageEncoder, place: EncoderPlace, variant: str, features: int, source: str
) -> None:
    """Make sure that an encoder makes what an adapter reads.

    Args:
        place: of the encoder.
        features: width of what the adapter reads.
        source: what to call the adapter.

    Raises:
        InputError: it does not.
    """
    own = encoder.width(variant)
    if own != features:
        raise InputError(
            f"the image encoder {place.folder or place.title} makes features of width {own}, and"
            f" {source} was trained on those of width {features}",
            f"give --set {SETTING}=PLACE, the encoder that it was trained with",
        )
