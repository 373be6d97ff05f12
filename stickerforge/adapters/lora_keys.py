"""How the keys of LoRA files name layers, and what each tensor is to its layer."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from stickerforge.adapters.foreign import refusal
from stickerforge.errors import InputError

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
    "_lora.down.weight": DOWN,  # of attention processors
    "_lora.up.weight": UP,
    ".alpha": ALPHA,
}
PEFT_PREFIX = "base_model.model."
# diffusers up to 0.21 kept the factors of attention in processors beside the layers.
PROCESSOR = re.compile(r"(.*?)(?:\.processor)?\.(to_[qkv]|to_out|add_[kv]_proj)(?:_lora)?")
OF_CLIP = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}
CLIP_SHELL = re.compile(r"^(text_encoder(?:_\d)?)\.text_model\.")


def ending(key: str) -> str:
    """The end of a key that says what the tensor is; "" for one that is no part of a LoRA."""
    return next((end for end in ENDINGS if key.endswith(end)), "")


def layer_of(key: str) -> str:
    """The layer that a key names, as peft would name it; kohya's names keep their underscores."""
    end = ending(key)
    layer = key.removesuffix(end).removeprefix(PEFT_PREFIX)
    match = PROCESSOR.fullmatch(layer)
    if match and (end.startswith("_lora") or layer.endswith("_lora")):
        network, name = match[1], match[2]
        if network.startswith(("text_encoder", "text_model")):
            name = OF_CLIP.get(name, name)
        layer = f"{network}.{'to_out.0' if name == 'to_out' else name}"
    return layer_in("", layer)


def layer_in(network: str, layer: str) -> str:
    """A layer of a network by its full name, without the `text_model` that may enclose CLIP's.

    Args:
        network: "" where the layer's name begins with it already, or nobody knows it.
    """
    return CLIP_SHELL.sub(r"\1.", f"{network}.{layer}" if network else layer)


def sort_keys(path: Path, keys: Iterable[str]) -> dict[str, dict[str, str]]:
    """{layer: {role: key}}.

    Args:
        path: for errors.

    Raises:
        InputError: a key is no part of a LoRA, or two say the same.
    """
    layers: dict[str, dict[str, str]] = defaultdict(dict)
    if strange := [key for key in keys if not ending(key)]:
        raise refusal(path, strange)
    for key in keys:
        layer, role = layer_of(key), ENDINGS[ending(key)]
        if role in layers[layer]:
            raise InputError(
                f"{path} says the same twice: {layers[layer][role][:80]} and {key[:80]}",
                "remove one of them, or export it again",
            )
        layers[layer][role] = key
    return layers
