"""An adapter as the two files that other programs take.

The LoRA is what `load_lora_weights` of diffusers and peft read: peft's names of factors under the
network's name, rank and alpha in `lora_adapter_metadata`. The tokens are what
`load_textual_inversion` reads: by placeholder where there is one text encoder, by text encoder and
row where there are two.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from stickerforge.adapters.foreign import made_for
from stickerforge.adapters.lora_alphas import METADATA
from stickerforge.adapters.lora_format import FILES, ONLY_ENCODER, TOKENS
from stickerforge.errors import InputError

if TYPE_CHECKING:
    from stickerforge.adapters.lora_weights import AdapterWeights, LoraWeights

LORA, EMBEDDINGS = "lora", "tokens"  # what the two files are called, and begin their names with
# https://github.com/Stability-AI/ModelSpec: {the models: name of their architecture, pixels}
ARCHITECTURES = {
    "Stable Diffusion 1": ("stable-diffusion-v1", 512),
    "Stable Diffusion 2": ("stable-diffusion-v2-768-v", 768),
    "Stable Diffusion XL": ("stable-diffusion-xl-v1-base", 1024),
}


def encode_files(weights: "AdapterWeights", metadata: Mapping[str, str]) -> dict[str, bytes]:
    """{"lora" or "tokens": file}; a file that would hold nothing is left out.

    Args:
        metadata: for both, from `describe`.

    Raises:
        InputError: the tokens do not have the same text encoders.
    """
    from safetensors.torch import save

    base, pixels = architecture(weights, metadata)
    count = bool(weights.lora) + bool(weights.tokens)
    common = {"format": "pt", FILES: str(count), **metadata}
    if pixels:
        common = {"modelspec.resolution": f"{pixels}x{pixels}"} | common
    files = {}
    if weights.lora:
        tensors = {}
        for layer, factors in weights.lora.items():
            name = in_shell(layer)
            tensors[f"{name}.lora_A.weight"] = factors.down.float().contiguous()
            tensors[f"{name}.lora_B.weight"] = factors.up.float().contiguous()
        own = {
            "modelspec.architecture": f"{base}/lora",
            METADATA: json.dumps(peft_config(weights.lora)),
        }
        files[LORA] = with_metadata(save(tensors), common | own)
    if weights.tokens:
        tensors, listed = token_tensors(weights)
        own = {"modelspec.architecture": f"{base}/textual-inversion"} | listed
        files[EMBEDDINGS] = with_metadata(save(tensors), common | own)
    return files


def with_metadata(content: bytes, metadata: Mapping[str, str]) -> bytes:
    """A safetensors file without metadata, with it; equal bytes for equal metadata.

    The library itself writes metadata in an order that changes from call to call.
    """
    end = 8 + int.from_bytes(content[:8], "little")
    header = {"__metadata__": dict(sorted(metadata.items()))} | json.loads(content[8:end])
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8 bytes
    return len(text).to_bytes(8, "little") + text + content[end:]


def token_tensors(weights: "AdapterWeights") -> tuple[dict[str, Any], dict[str, str]]:
    """(tensors of the file with the tokens, what its metadata must say to read them back).

    Raises:
        InputError: the tokens do not have the same text encoders.
    """
    import torch

    rows: dict[str, list[torch.Tensor]] = defaultdict(list)
    tokens = dict(sorted(weights.tokens.items()))
    for embeddings in tokens.values():
        for encoder, embedding in embeddings.items():
            rows[encoder].append(embedding.float())
    if set(rows) == {ONLY_ENCODER}:
        return {
            token: embeddings[ONLY_ENCODER].float().contiguous()
            for token, embeddings in tokens.items()
        }, {}
    if any(len(of_encoder) != len(tokens) for of_encoder in rows.values()):
        raise InputError("the tokens have embeddings for different text encoders", "")
    tensors = {encoder: torch.stack(of_encoder) for encoder, of_encoder in rows.items()}
    return tensors, {TOKENS: json.dumps(list(tokens))}


def in_shell(layer: str) -> str:
    """A layer's name as LoRA files have it: within `text_model` in a text encoder."""
    network, _, module = layer.partition(".")
    return f"{network}.text_model.{module}" if network.startswith("text_encoder") else layer


def peft_config(lora: "Mapping[str, LoraWeights]") -> dict[str, Any]:
    """peft's configuration of every network, each key under the network's name.

    The layers of text encoders are named by their ends, without `text_model`, which encloses them
    in some versions of transformers and not in others.
    """
    networks: dict[str, dict[str, LoraWeights]] = defaultdict(dict)
    for layer, factors in sorted(lora.items()):
        network, _, module = layer.partition(".")
        networks[network][module] = factors
    config: dict[str, Any] = {}
    for network, own in networks.items():
        sizes = {module: (factors.rank, factors.alpha) for module, factors in own.items()}
        (rank, alpha), _ = Counter(sizes.values()).most_common(1)[0]
        others = {module: size for module, size in sizes.items() if size != (rank, alpha)}
        values = {
            "r": rank,
            "lora_alpha": plain(alpha),
            "target_modules": list(own),
            "rank_pattern": {module: size[0] for module, size in others.items()},
            "alpha_pattern": {module: plain(size[1]) for module, size in others.items()},
        }
        config |= {f"{network}.{key}": value for key, value in values.items()}
    return config


def plain(alpha: float) -> float | int:
    """Alpha as peft's configurations have it: whole where it can be."""
    return int(alpha) if alpha == int(alpha) else alpha


def architecture(weights: "AdapterWeights", metadata: Mapping[str, str]) -> tuple[str, int]:
    """(architecture as ModelSpec names it, side of its pictures in pixels, 0 for unknown)."""
    models = made_for({layer: factors.down.shape[1] for layer, factors in weights.lora.items()})
    return ARCHITECTURES.get(models, (metadata.get("stickerforge.base", "unknown"), 0))


def public_title(base: str) -> str:
    """The title of a base model; of a folder its name alone, since paths tell of their owner."""
    return PurePath(base).name if PurePath(base).is_absolute() else base


def describe(
    name: str,
    base: str,
    tokens: Mapping[str, str],
    phrase: str,
    made: Mapping[str, Any],
    parents: list[dict[str, Any]],
) -> dict[str, str]:
    """What both files say about the adapter (ModelSpec 1.0.1); the same for the same adapter.

    Args:
        base: title of the base model.
    """
    base = public_title(base)
    trigger = ", ".join([*tokens, *([phrase] if phrase else [])])
    values = {
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.implementation": "diffusers",
        "modelspec.title": name,
        "modelspec.description": f"made with StickerForge for {base}",
        "modelspec.trigger_phrase": trigger,
        "modelspec.merged_from": ", ".join(str(parent["name"]) for parent in parents),
        "stickerforge.base": base,
    }
    if pixels := made.get("resolution"):
        values["modelspec.resolution"] = f"{pixels}x{pixels}"
    return {key: value for key, value in values.items() if value}
