"""LoRA files with new tokens: ours and the common ones of others.

torch is imported when a tensor is touched, so that headers can be checked at once.
"""

import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stickerforge.adapters.header import AGAIN, AdapterFile, Header
from stickerforge.errors import InputError

if TYPE_CHECKING:
    from stickerforge.adapters.lora_weights import AdapterWeights

MAX_RANK = 1024
DOWN, UP, ALPHA = "down", "up", "alpha"
# The end of a key -> what it is. The rest of the key names the layer.
ENDINGS = {
    ".lora_A.weight": DOWN,
    ".lora_B.weight": UP,
    ".lora.down.weight": DOWN,
    ".lora.up.weight": UP,
    ".lora_linear_layer.down.weight": DOWN,
    ".lora_linear_layer.up.weight": UP,
    ".lora_down.weight": DOWN,
    ".lora_up.weight": UP,
    ".alpha": ALPHA,
}
TOKEN = re.compile(r"token\.(<[^<>]+>)\.(\w+)")
PEFT_PREFIX = "base_model.model."
METADATA = "lora_adapter_metadata"  # where diffusers writes peft's configurations, as JSON


def encode(weights: "AdapterWeights") -> bytes:
    """The file of an adapter: peft's key names, alpha beside them, float32."""
    import torch
    from safetensors.torch import save

    tensors = {}
    for layer, factors in weights.lora.items():
        tensors[f"{layer}.lora_A.weight"] = factors.down.float().contiguous()
        tensors[f"{layer}.lora_B.weight"] = factors.up.float().contiguous()
        tensors[f"{layer}.alpha"] = torch.tensor(factors.alpha, dtype=torch.float32)
    for placeholder, embeddings in weights.tokens.items():
        for encoder, embedding in embeddings.items():
            tensors[f"token.{placeholder}.{encoder}"] = embedding.float().contiguous()
    return save(tensors, {"format": "pt"})


def parse(file: AdapterFile) -> "AdapterWeights":
    """The adapter in a file of ours, of peft or diffusers, or of kohya's trainer.

    Layers are named as the file names them; `FamilySpec.layer_name` finds them in a model.

    Raises:
        InputError: it holds no sound adapter.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    from stickerforge.adapters.lora_weights import AdapterWeights, LoraWeights

    path = file.path
    layers, tokens = sort_keys(path, file.header)
    check_shapes(path, file.header, layers)
    alphas = MetadataAlphas(path, file.metadata)
    try:
        tensors = load(file.content)
    except SafetensorError as error:
        raise InputError(f"{path} is broken: {str(error)[:100]}", AGAIN) from None
    for key, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise InputError(f"{path} holds numbers that are not finite in {key[:80]}", AGAIN)
    lora: dict[str, LoraWeights] = {}
    for layer, keys in layers.items():
        down, up = tensors[keys[DOWN]].float(), tensors[keys[UP]].float()
        alpha = float(tensors[keys[ALPHA]]) if ALPHA in keys else alphas.alpha(layer, len(down))
        lora[layer] = LoraWeights(down, up, alpha)
    embeddings = {
        placeholder: {encoder: tensors[key].float() for encoder, key in keys.items()}
        for placeholder, keys in tokens.items()
    }
    return AdapterWeights(lora, embeddings)


def token_names(header: Header) -> tuple[str, ...]:
    """The placeholders whose embeddings a file holds."""
    matches = (TOKEN.fullmatch(key) for key in header)
    return tuple(dict.fromkeys(match[1] for match in matches if match))


def is_lora(header: Header) -> bool:
    """Whether every tensor of a file is a low-rank factor, its alpha, or a token's embedding."""
    return bool(header) and all(
        TOKEN.fullmatch(key) or key.endswith(tuple(ENDINGS)) for key in header
    )


def sort_keys(
    path: Path, header: Header
) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """({layer: {role: key}}, {placeholder: {text encoder: key}}).

    Raises:
        InputError: a key is neither a low-rank factor nor a token.
    """
    layers: dict[str, dict[str, str]] = defaultdict(dict)
    tokens: dict[str, dict[str, str]] = defaultdict(dict)
    for key in header:
        if match := TOKEN.fullmatch(key):
            tokens[match[1]][match[2]] = key
        elif ending := next((ending for ending in ENDINGS if key.endswith(ending)), None):
            layer = key.removesuffix(ending).removeprefix(PEFT_PREFIX)
            layers[layer][ENDINGS[ending]] = key
        else:
            raise InputError(
                f"{path} holds {key[:80]!r}, which is no part of a LoRA",
                "LoHa, LoKr and DoRA files cannot be used",
            )
    if not layers and not tokens:
        raise InputError(f"{path} holds no LoRA", "give a LoRA file in safetensors format")
    return layers, tokens


def check_shapes(path: Path, header: Header, layers: Mapping[str, Mapping[str, str]]) -> None:
    """Make sure that every layer has both factors, of one sensible rank.

    Raises:
        InputError: one has not.
    """
    for layer, keys in layers.items():
        if DOWN not in keys or UP not in keys:
            missing = DOWN if DOWN not in keys else UP
            raise InputError(f"{path} has no {missing} factor for {layer[:80]}", AGAIN)
        down, up = header[keys[DOWN]][1], header[keys[UP]][1]
        matrices = len(down) in (2, 4) and len(up) == len(down)
        if not matrices or up[1] != down[0] or up[2:] not in ([], [1, 1]):
            raise InputError(f"{path}: factors of {layer[:80]} do not fit: {down} and {up}", AGAIN)
        if ALPHA in keys and math.prod(header[keys[ALPHA]][1]) != 1:
            raise InputError(f"{path}: alpha of {layer[:80]} is no single number", AGAIN)
        if down[0] > MAX_RANK:
            raise InputError(
                f"{path}: rank {down[0]} in {layer[:80]} is absurd",
                f"ranks up to {MAX_RANK} can be used",
            )


class MetadataAlphas:
    """Alpha where diffusers wrote it into the file's metadata; without, a scale of 1 is meant.

    The metadata has peft's configuration of every network under its name: "unet.lora_alpha".
    """

    def __init__(self, path: Path, metadata: dict[str, Any]) -> None:
        """Raises:
        InputError: the metadata is broken.
        """
        try:
            self.config = json.loads(metadata.get(METADATA, "{}"))
            if not isinstance(self.config, dict):
                raise ValueError(self.config)
            plain = [value for key, value in self.config.items() if key.endswith("lora_alpha")]
            patterns = [
                value for key, value in self.config.items() if key.endswith("alpha_pattern")
            ]
            for alpha in plain + [
                alpha for pattern in patterns for alpha in (pattern or {}).values()
            ]:
                float(alpha or 0)
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise InputError(f"{path}: its metadata about alpha is broken", AGAIN) from None

    def alpha(self, layer: str, rank: int) -> float:
        """Alpha of a layer.

        Patterns are matched as names or their ends, never run as expressions of a stranger.
        """
        network, _, module = layer.partition(".")
        prefix = f"{network}."
        if f"{prefix}lora_alpha" not in self.config and f"{prefix}alpha_pattern" not in self.config:
            prefix, module = "", layer
        patterns = self.config.get(f"{prefix}alpha_pattern") or {}
        alpha = next(
            (
                alpha
                for name, alpha in patterns.items()
                if module == name or module.endswith(f".{name}")
            ),
            None,
        )
        if alpha is None:
            alpha = self.config.get(f"{prefix}lora_alpha")
        if alpha is None:
            return float(rank)
        return float(alpha) * (math.sqrt(rank) if self.config.get(f"{prefix}use_rslora") else 1.0)
