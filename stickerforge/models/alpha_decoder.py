"""A decoder that draws alpha, made from the decoder of an autoencoder that does not.

Style Tailoring (Sinha et al., arXiv:2311.10794): the last convolution gets a fourth filter, the
encoder stays as it is, so that every denoiser of its latents can be decoded with alpha.

Shapes: B pictures; c, h, w latent channels, rows, columns; H, W pixels.
"""

import copy
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from diffusers import AutoencoderKL
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from stickerforge.models.network_config import CONFIG
from stickerforge.models.weights import WEIGHTS, find_variant, load_faults

Start = Literal["mean", "opaque"]  # what the fourth filter is before any training
ENCODER = ("encoder.", "quant_conv.")  # in an AutoencoderKL: what decides what latents mean
# Names of attention layers in folders of earlier versions of diffusers, and today's.
RENAMED = {
    ".query.": ".to_q.",
    ".key.": ".to_k.",
    ".value.": ".to_v.",
    ".proj_attn.": ".to_out.0.",
}


class AlphaDecoder(nn.Module):
    """The side of an autoencoder that decodes, with a fourth channel for (straight) alpha.

    `post_quant_conv` is part of it: its input are the very latents that a denoiser makes, so that
    it may be trained like the decoder without moving what the encoder says.
    """

    def __init__(self, autoencoder: AutoencoderKL, start: Start = "mean") -> None:
        """Copy the decoder of an autoencoder of three channels.

        Args:
            start: "mean" of the filters of red, green and blue, or "opaque" everywhere.
        """
        super().__init__()
        self.post_quant_conv = copy.deepcopy(autoencoder.post_quant_conv)
        self.decoder = copy.deepcopy(autoencoder.decoder)
        self.decoder.conv_out = add_filter(self.decoder.conv_out, start)

    def forward(self, latents: Tensor) -> Tensor:
        """Pictures (B, 4, H, W) in about [-1, 1]: colours, and straight alpha.

        Args:
            latents: (B, c, h, w) as the encoder makes them, not scaled for a denoiser.
        """
        if self.post_quant_conv is not None:
            latents = self.post_quant_conv(latents)
        decoded: Tensor = self.decoder(latents)
        return decoded

    def tensors(self) -> dict[str, Tensor]:
        """A copy of its weights on the CPU in float32, by their names in an AutoencoderKL."""
        return {
            name: value.detach().to("cpu", torch.float32, copy=True)
            for name, value in self.state_dict().items()
        }


def add_filter(convolution: nn.Conv2d, start: Start) -> nn.Conv2d:
    """A convolution to three channels with a fourth one; the first three stay bitwise the same.

    Args:
        start: "mean" for the mean of the three filters and biases; "opaque" for a filter of zeros
            and a bias of 1, which is alpha 1 everywhere.
    """
    weight, bias = convolution.weight.detach(), convolution.bias
    if bias is None:
        raise TypeError("decoders of an AutoencoderKL end in a convolution with a bias")
    extended = nn.Conv2d(
        convolution.in_channels,
        4,
        convolution.kernel_size,  # type: ignore[arg-type]
        padding=convolution.padding,  # type: ignore[arg-type]
    )
    mean = start == "mean"
    fourth = weight.mean(0, keepdim=True) if mean else torch.zeros_like(weight[:1])
    offset = bias.detach().mean(0, keepdim=True) if mean else torch.ones_like(bias[:1])
    with torch.no_grad():
        extended.weight = nn.Parameter(torch.cat([weight, fourth]))
        extended.bias = nn.Parameter(torch.cat([bias.detach(), offset]))
    return extended


def autoencoder_files(
    autoencoder: AutoencoderKL, decoder: Mapping[str, Tensor]
) -> dict[str, bytes]:
    """{name: content} of a folder that AutoencoderKL.from_pretrained loads.

    It encodes three channels as before and decodes to four.

    Args:
        decoder: its tensors, as `AlphaDecoder.tensors` gives them.
    """
    config = {key: value for key, value in autoencoder.config.items() if not key.startswith("_")}
    with torch.device("meta"):  # for its configuration alone
        whole = AutoencoderKL.from_config(config | {"out_channels": 4})
    own = {name: value.detach().cpu().float() for name, value in autoencoder.state_dict().items()}
    tensors = {name: value.contiguous() for name, value in (own | dict(decoder)).items()}
    return {
        CONFIG: whole.to_json_string().encode(),
        "diffusion_pytorch_model.safetensors": save(tensors, {"format": "pt"}),
    }


def encoder_digest(tensors: Mapping[str, Tensor]) -> str:
    """Sixteen hexadecimal digits of what decides what latents mean: the weights of the encoder.

    They are taken as 16 bits, so that a copy in half precision has the same; decoders may differ,
    since they are often trained on alone.

    Args:
        tensors: of an AutoencoderKL, or of its encoder; others are passed over.
    """
    digest = hashlib.sha256()
    named = {present_name(name): value for name, value in tensors.items()}
    for name in sorted(name for name in named if name.startswith(ENCODER)):
        values = named[name].detach().cpu().half().contiguous().flatten()
        digest.update(
            f"{name}|{len(values)}|".encode() + values.view(torch.uint8).numpy().tobytes()
        )
    return digest.hexdigest()[:16]


def present_name(name: str) -> str:
    """The name that today's diffusers gives a tensor."""
    for old, new in RENAMED.items():
        name = name.replace(old, new)
    return name


def folder_encoder_digest(folder: Path) -> str:
    """`encoder_digest` of an autoencoder's folder, of which only the encoder is read.

    Raises:
        InputError: it cannot be read.
        EnvironmentFault: likewise in what was fetched or installed.
    """
    with load_faults(folder, "an AutoencoderKL of diffusers"):
        variant, tensors = find_variant(folder), dict[str, Tensor]()
        for path in sorted(folder.iterdir()):
            match = WEIGHTS.fullmatch(path.name)
            if not match or (match["variant"] or "") != variant:
                continue
            with safe_open(path, "pt") as file:
                names = [name for name in file.keys() if name.startswith(ENCODER)]  # noqa: SIM118
                tensors |= {name: file.get_tensor(name) for name in names}
        return encoder_digest(tensors)
