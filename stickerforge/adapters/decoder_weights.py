"""The weights of a decoder with alpha. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class DecoderWeights:
    """A decoder for the latents of one encoder.

    Args:
        tensors: of the decoder and of `post_quant_conv`, by their names in an AutoencoderKL.
        config: of the AutoencoderKL that has this decoder, with four channels out.
        encoder: the digest of its encoder, `models.alpha_decoder.encoder_digest`.
    """

    tensors: "Mapping[str, Tensor]"
    config: Mapping[str, Any]
    encoder: str
