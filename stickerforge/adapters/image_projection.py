"""From the features of a picture to tokens: diffusers' projections with weights of official files.

Shapes: B pictures; E width of the encoder's features; P their patches; T tokens; D text width.
"""

import re
from collections.abc import Mapping

import torch
from diffusers.models.embeddings import ImageProjection, IPAdapterPlusImageProjection
from torch import Tensor, nn

from stickerforge.adapters.image_prompt_weights import (
    DEPTH,
    HEAD_WIDTH,
    ImagePromptShape,
    ImagePromptWeights,
)

# Names in official files -> names in diffusers' modules.
BASE_NAMES = {"proj.": "image_embeds.", "norm.": "norm."}
BLOCK_NAMES = {
    "0.norm1.": "ln0.",
    "0.norm2.": "ln1.",
    "0.to_q.": "attn.to_q.",
    "0.to_out.": "attn.to_out.0.",
    "1.0.": "ff.0.",
    "1.1.": "ff.1.net.0.proj.",
    "1.3.": "ff.1.net.2.",
}
KV = "0.to_kv.weight"  # keys and values are one matrix in official files
LAYER = re.compile(r"(layers\.\d+\.)(.+)")


def build_projection(shape: ImagePromptShape, device: torch.device | None = None) -> nn.Module:
    """A projection as it is before any training: from (B, E), or (B, P, E) for "plus", to
    (B, T, D).

    Args:
        device: where its weights are; None for the meta device, where there are none.
    """
    with device or torch.device("meta"):
        if shape.variant == "base":
            base: nn.Module = ImageProjection(shape.features, shape.width, shape.tokens)
            return base
        plus: nn.Module = IPAdapterPlusImageProjection(
            shape.features,
            shape.width,
            shape.hidden,
            DEPTH,
            HEAD_WIDTH,
            shape.heads,
            shape.tokens,
        )
        return plus


def load_projection(weights: ImagePromptWeights) -> nn.Module:
    """A projection with its weights, on the CPU, in their precision."""
    projection = build_projection(weights.shape)
    projection.load_state_dict(module_names(weights.projection()), assign=True)
    return projection.eval().requires_grad_(False)


def module_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a projection by diffusers' names, from those of official files."""
    renamed: dict[str, Tensor] = {}
    for name, value in tensors.items():
        layer, own = split_layer(name)
        if own == KV:
            key, rest = value.chunk(2)
            renamed |= {f"{layer}attn.to_k.weight": key, f"{layer}attn.to_v.weight": rest}
        else:
            renamed[layer + rename(own, BLOCK_NAMES if layer else BASE_NAMES)] = value
    return renamed


def official_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a projection by the names of official files, from those of diffusers."""
    base, block = (
        {ours: theirs for theirs, ours in names.items()} for names in (BASE_NAMES, BLOCK_NAMES)
    )
    renamed: dict[str, Tensor] = {}
    for name, value in state.items():
        layer, own = split_layer(name)
        if own == "attn.to_k.weight":
            renamed[layer + KV] = torch.cat([value, state[f"{layer}attn.to_v.weight"]])
        elif own != "attn.to_v.weight":
            renamed[layer + rename(own, block if layer else base)] = value
    return renamed


def split_layer(name: str) -> tuple[str, str]:
    """("layers.0.", the rest) of a tensor within a block; ("", name) of others."""
    match = LAYER.fullmatch(name)
    return (match[1], match[2]) if match else ("", name)


def rename(name: str, names: Mapping[str, str]) -> str:
    """A name with another beginning; as it is where none is known."""
    start = next((start for start in names if name.startswith(start)), "")
    return names[start] + name.removeprefix(start) if start else name
