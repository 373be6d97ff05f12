"""LoRA files: ours and the common ones of others, read with distrust.

Only the header is looked at until it is known to describe something sensible; a file is data, never code.
"""

import hashlib
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from stickerforge.adapters.lora import Factors, Taught
from stickerforge.errors import InputError
from stickerforge.runtime.files import write_whole

MAX_HEADER_BYTES = 8_000_000  # an adapter of every layer of the largest models has under one
MAX_BYTES = 4_000_000_000
MAX_RANK = 1024
FLOATS = ("F16", "BF16", "F32", "F64")
DOWN, UP = "down", "up"
# The end of a key -> what it is. The rest of the key names the layer.
ENDINGS = {
    ".lora_A.weight": DOWN, ".lora_B.weight": UP, ".lora.down.weight": DOWN, ".lora.up.weight": UP,
    ".lora_linear_layer.down.weight": DOWN, ".lora_linear_layer.up.weight": UP,
    ".lora_down.weight": DOWN, ".lora_up.weight": UP, ".alpha": "alpha",
}  # fmt: skip
KOHYA = {"lora_unet_": "unet.", "lora_te_": "text_encoder.", "lora_te1_": "text_encoder.", "lora_te2_": "text_encoder_2."}
TOKEN = re.compile(r"token\.(<[^<>]+>)\.(\w+)")


def encoded(taught: Taught) -> bytes:
    """The file of an adapter: peft's key names, alpha beside them, float32."""
    tensors = {}
    for layer, factors in taught.lora.items():
        tensors[f"{layer}.lora_A.weight"] = factors.down.float().contiguous()
        tensors[f"{layer}.lora_B.weight"] = factors.up.float().contiguous()
        tensors[f"{layer}.alpha"] = torch.tensor(factors.alpha, dtype=torch.float32)
    for placeholder, rows in taught.tokens.items():
        tensors |= {f"token.{placeholder}.{tower}": row.float().contiguous() for tower, row in rows.items()}
    return save(tensors, {"format": "pt"})


def write(path: Path, taught: Taught) -> str:
    """Write an adapter's file, read it back, compare every layer; returns its sha256.

    Raises:
        EnvironmentFault: the disk is full, or did not keep what was written.
    """
    content = encoded(taught)
    write_whole(path, content)
    back = read(path)
    same = taught.lora.keys() == back.lora.keys() and taught.tokens.keys() == back.tokens.keys()
    if not same or not all(equal(taught.lora[layer], back.lora[layer]) for layer in taught.lora):
        path.unlink()
        raise AssertionError(f"{path} does not read back as it was written")
    return hashlib.sha256(content).hexdigest()


def equal(first: Factors, second: Factors) -> bool:
    """Whether two changes are the same to the last bit."""
    return first.alpha == second.alpha and torch.equal(first.down.float(), second.down) and torch.equal(first.up.float(), second.up)


def read(path: Path) -> Taught:
    """An adapter from a file of ours, of peft or diffusers, or of kohya's trainer.

    Layers of kohya's files keep its underscores; `resolved` finds them in a network.

    Raises:
        InputError: no such file, or it holds no sound adapter.
    """
    header, metadata = checked_header(path)
    roles: dict[str, dict[str, str]] = defaultdict(dict)
    tokens: dict[str, dict[str, str]] = defaultdict(dict)
    for key in header:
        if match := TOKEN.fullmatch(key):
            tokens[match[1]][match[2]] = key
        elif ending := next((ending for ending in ENDINGS if key.endswith(ending)), None):
            roles[layer_named(key.removesuffix(ending))][ENDINGS[ending]] = key
        else:
            raise InputError(f"{path} holds {key[:80]!r}, which is no part of a LoRA", "LoHa, LoKr and DoRA files cannot be used")
    if not roles and not tokens:
        raise InputError(f"{path} holds no LoRA", "give a LoRA file in safetensors format")
    check_shapes(path, header, roles)
    try:
        tensors = load(path.read_bytes())
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is broken: {str(error)[:100]}", "fetch or train it again") from None
    for key, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise InputError(f"{path} holds numbers that are not finite in {key[:80]}", "fetch or train it again")
    lora = {}
    for layer, keys in roles.items():
        down, up = tensors[keys[DOWN]].float(), tensors[keys[UP]].float()
        alpha = float(tensors[keys["alpha"]]) if "alpha" in keys else stated_alpha(metadata, layer)
        lora[layer] = Factors(down, up, float(len(down)) if alpha is None else alpha)  # unsaid: a scale of 1
    return Taught(lora, {name: {tower: tensors[key].float() for tower, key in rows.items()} for name, rows in tokens.items()})


def layer_named(stem: str) -> str:
    """The layer with its part of the model: "unet.…", "text_encoder.…"; plain names are the denoiser's."""
    for prefix, part in KOHYA.items():
        if stem.startswith(prefix):
            return part + stem.removeprefix(prefix)
    stem = stem.removeprefix("base_model.model.")
    return stem if stem.startswith(("unet.", "text_encoder.", "text_encoder_2.")) else f"unet.{stem}"


def checked_header(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """({key: {dtype, shape}}, metadata) of a safetensors file, without reading a tensor.

    Raises:
        InputError: it is missing, not safetensors, or its header promises what no adapter needs.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 10 or length > size:
                raise InputError(f"{path} is no safetensors file", "only safetensors are read, never pickled weights")
            if length > MAX_HEADER_BYTES or size > MAX_BYTES:
                raise InputError(f"{path} is too large for an adapter (header of {length / 1e6:.0f} MB)", "give a LoRA file")
            header = json.loads(file.read(length))
    except FileNotFoundError:
        raise InputError(f"no adapter file {path}", "check the path, or see `stickerforge adapters list`") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", "give a LoRA file") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} is no safetensors file", "only safetensors are read, never pickled weights") from None
    if not isinstance(header, dict) or not all(isinstance(entry, dict) for entry in header.values()):
        raise InputError(f"{path} is no safetensors file", "only safetensors are read, never pickled weights")
    metadata = header.pop("__metadata__", {})
    for key, entry in header.items():
        if entry.get("dtype") not in FLOATS:
            raise InputError(f"{path} holds {entry.get('dtype')} numbers in {key[:80]}", "only floating point adapters can be used")
        if 0 in entry.get("shape", [0]):
            raise InputError(f"{path} holds an empty tensor {key[:80]}", "fetch or train it again")
    return header, metadata


def check_shapes(path: Path, header: dict[str, Any], roles: dict[str, dict[str, str]]) -> None:
    """Make sure that every layer has both factors, of one sensible rank.

    Raises:
        InputError: one has not.
    """
    for layer, keys in roles.items():
        if DOWN not in keys or UP not in keys:
            missing = DOWN if DOWN not in keys else UP
            raise InputError(f"{path} has no {missing} factor for {layer[:80]}", "fetch or train it again")
        down, up = header[keys[DOWN]]["shape"], header[keys[UP]]["shape"]
        if len(down) not in (2, 4) or len(up) != len(down) or up[1] != down[0]:
            raise InputError(f"{path}: factors of {layer[:80]} do not fit: {down} and {up}", "fetch or train it again")
        if down[0] > MAX_RANK:
            raise InputError(f"{path}: rank {down[0]} in {layer[:80]} is absurd", f"ranks up to {MAX_RANK} can be used")


def stated_alpha(metadata: dict[str, Any], layer: str) -> float | None:
    """Alpha of a layer where diffusers wrote it into the file's metadata."""
    said = json.loads(metadata.get("lora_adapter_metadata", "{}"))
    part, _, module = layer.partition(".")
    patterns = said.get(f"{part}.alpha_pattern") or {}
    named = next((alpha for pattern, alpha in patterns.items() if re.fullmatch(rf"(.*\.)?({pattern})", module)), None)
    alpha = said.get(f"{part}.lora_alpha") if named is None else named
    return None if alpha is None else float(alpha)
