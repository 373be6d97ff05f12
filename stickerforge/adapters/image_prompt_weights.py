"""The weights of an image adapter (IP-Adapter, arXiv:2308.06721). Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from stickerforge.adapters.foreign import TEXT_WIDTHS
from stickerforge.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

Variant = Literal["base", "plus"]
HEAD_WIDTH = 64  # of the attention of a resampler
DEPTH = 4  # blocks of a resampler: the loader of diffusers takes no other number
BASE_TOKENS = 4  # likewise the tokens of a base projection


@dataclass(frozen=True)
class ImagePromptShape:
    """The widths of an image adapter, which decide what it fits.

    Args:
        variant: "base" reads the encoder's one vector of a picture, "plus" all of its last but one
            hidden states, through a resampler.
        tokens: of a picture, beside those of the text.
        width: of a token: that of the text that the denoiser reads.
        features: width of what the image encoder makes.
        hidden: width within a resampler; 0 for "base".
        heads: of its attention; 0 for "base".
        layers: {number of a cross-attention: width of its keys and values}.
    """

    variant: Variant
    tokens: int
    width: int
    features: int
    hidden: int
    heads: int
    layers: Mapping[int, int]


@dataclass(frozen=True)
class ImagePromptWeights:
    """An image adapter.

    Args:
        shape: its widths.
        tensors: by the keys of the official files: "image_proj.…", "ip_adapter.1.to_k_ip.weight".
        encoder: the image encoder that it was trained with, as `find_image_encoder` takes it; ""
            where the file does not say, as official ones do not.
    """

    shape: ImagePromptShape
    tensors: "Mapping[str, Tensor]"
    encoder: str = ""

    def projection(self) -> "dict[str, Tensor]":
        """The tensors of the projection, by their names within it."""
        return {
            key.removeprefix("image_proj."): value
            for key, value in self.tensors.items()
            if key.startswith("image_proj.")
        }


def check_width(
    shape: ImagePromptShape, widths: int | tuple[int, ...] | None, source: str, title: str
) -> None:
    """Make sure that an image adapter has the width of the texts that a model reads.

    Args:
        widths: of the denoiser's configuration; several by level, None where it does not say.
        source: what to call the adapter in an error.
        title: of the model.

    Raises:
        InputError: it has not.
    """
    width = max(widths) if isinstance(widths, tuple) else widths
    if width is not None and shape.width != width:
        own = TEXT_WIDTHS.get(shape.width, "other models")
        raise InputError(
            f"the image adapter {source} is for {own} (texts of width {shape.width}), and those of"
            f" {title} have {width}",
            "give the model that it was made for: --model NAME",
        )
