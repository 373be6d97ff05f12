"""LoRA files: ours and the common ones of others, read with distrust.

Only the header is looked at until it is known to describe something sensible; a file is data, never code.
torch is imported when a tensor is touched, so that names and headers can be checked at once.
"""

import hashlib
import json
import math
import os
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.runtime.files import write_whole

if TYPE_CHECKING:
    from stickerforge.adapters.lora_weights import AdapterWeights

MAX_HEADER_BYTES = 8_000_000  # an adapter of every layer of the largest models has under one
MAX_BYTES = 4_000_000_000
MAX_RANK = 1024
FLOATS = ("F16", "BF16", "F32", "F64")
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
PARTS = ("unet.", "text_encoder.", "text_encoder_2.")
KOHYA = {
    "lora_unet_": "unet.",
    "lora_te_": "text_encoder.",
    "lora_te1_": "text_encoder.",
    "lora_te2_": "text_encoder_2.",
}
TOKEN = re.compile(r"token\.(<[^<>]+>)\.(\w+)")
NOT_OURS = "only safetensors are read, never pickled weights"
AGAIN = "fetch or train it again"
Header = dict[str, tuple[str, list[int]]]  # key -> number format and shape


def encode(taught: "AdapterWeights") -> bytes:
    """The file of an adapter: peft's key names, alpha beside them, float32."""
    import torch
    from safetensors.torch import save

    tensors = {}
    for layer, factors in taught.lora.items():
        tensors[f"{layer}.lora_A.weight"] = factors.down.float().contiguous()
        tensors[f"{layer}.lora_B.weight"] = factors.up.float().contiguous()
        tensors[f"{layer}.alpha"] = torch.tensor(factors.alpha, dtype=torch.float32)
    for placeholder, rows in taught.tokens.items():
        tensors |= {
            f"token.{placeholder}.{tower}": row.float().contiguous() for tower, row in rows.items()
        }
    return save(tensors, {"format": "pt"})


def write(path: Path, taught: "AdapterWeights") -> str:
    """Write an adapter's file, read it back, compare everything; returns its sha256.

    Raises:
        EnvironmentFault: the disk is full, or did not keep what was written; nothing is left behind.
        InputError: the adapter holds what no adapter may.
    """
    content = encode(taught)
    write_whole(path, content)
    intact = False
    try:
        intact = equal_weights(taught, read(path))
    finally:
        if not intact:
            path.unlink(missing_ok=True)
    if not intact:
        raise EnvironmentFault(f"{path} does not read back as it was written", "check the disk")
    return hashlib.sha256(content).hexdigest()


def equal_weights(first: "AdapterWeights", second: "AdapterWeights") -> bool:
    """Whether two adapters are the same to the last bit."""
    import torch

    if first.lora.keys() != second.lora.keys() or first.tokens.keys() != second.tokens.keys():
        return False
    for layer, ours in first.lora.items():
        theirs = second.lora[layer]
        if ours.alpha != theirs.alpha or not (
            torch.equal(ours.down.float(), theirs.down) and torch.equal(ours.up.float(), theirs.up)
        ):
            return False
    return all(
        rows.keys() == second.tokens[name].keys()
        and all(torch.equal(row.float(), second.tokens[name][tower]) for tower, row in rows.items())
        for name, rows in first.tokens.items()
    )


def read(path: Path) -> "AdapterWeights":
    """An adapter from a file of ours, of peft or diffusers, or of kohya's trainer.

    Raises:
        InputError: no such file, or it holds no sound adapter.
    """
    return parse(path, read_content(path))


def read_content(path: Path) -> bytes:
    """The bytes of an adapter's file; tensors are not read before the header is checked.

    Raises:
        InputError: no such file, or its header does not describe an adapter.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(8)
            start += file.read(header_length(path, start, size))
            header, _ = parse_header(path, start[8:])
            check_shapes(path, header, sort_keys(path, header)[0])
            return start + file.read()
    except FileNotFoundError:
        raise InputError(
            f"no adapter file {path}",
            "give its path as --adapter, or see `stickerforge adapters list`",
        ) from None
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}", "give a LoRA file"
        ) from None


def parse(path: Path, content: bytes) -> "AdapterWeights":
    """An adapter from the bytes of its file.

    Layers of kohya's files keep its underscores; `AdapterSet.resolved` finds them in a network.

    Args:
        path: how to call the file in an error.

    Raises:
        InputError: it is no sound adapter.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    from stickerforge.adapters.lora_weights import AdapterWeights, LoraWeights

    length = header_length(path, content[:8], len(content))
    header, metadata = parse_header(path, content[8 : 8 + length])
    roles, tokens = sort_keys(path, header)
    check_shapes(path, header, roles)
    alphas = Alphas(path, metadata)
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise InputError(f"{path} is broken: {str(error)[:100]}", AGAIN) from None
    for key, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise InputError(f"{path} holds numbers that are not finite in {key[:80]}", AGAIN)
    lora: dict[str, LoraWeights] = {}
    for layer, keys in roles.items():
        down, up = tensors[keys[DOWN]].float(), tensors[keys[UP]].float()
        alpha = float(tensors[keys[ALPHA]]) if ALPHA in keys else alphas.of(layer, len(down))
        lora[layer] = LoraWeights(down, up, alpha)
    return AdapterWeights(
        lora,
        {
            name: {tower: tensors[key].float() for tower, key in rows.items()}
            for name, rows in tokens.items()
        },
    )


def sort_keys(
    path: Path, header: Header
) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """({layer: {role: key}}, {placeholder: {tower: key}}).

    Raises:
        InputError: a key is neither a low-rank factor nor a token.
    """
    roles: dict[str, dict[str, str]] = defaultdict(dict)
    tokens: dict[str, dict[str, str]] = defaultdict(dict)
    for key in header:
        if match := TOKEN.fullmatch(key):
            tokens[match[1]][match[2]] = key
        elif ending := next((ending for ending in ENDINGS if key.endswith(ending)), None):
            roles[layer_name(key.removesuffix(ending))][ENDINGS[ending]] = key
        else:
            raise InputError(
                f"{path} holds {key[:80]!r}, which is no part of a LoRA",
                "LoHa, LoKr and DoRA files cannot be used",
            )
    if not roles and not tokens:
        raise InputError(f"{path} holds no LoRA", "give a LoRA file in safetensors format")
    return roles, tokens


def layer_name(stem: str) -> str:
    """The layer with its part of the model: "unet.…", "text_encoder.…"; plain names are the denoiser's."""
    for prefix, part in KOHYA.items():
        if stem.startswith(prefix):
            return part + stem.removeprefix(prefix)
    stem = stem.removeprefix("base_model.model.")
    return stem if stem.startswith(PARTS) else f"unet.{stem}"


def header_length(path: Path, start: bytes, size: int) -> int:
    """Length in bytes of the header, which the first eight bytes of a file of this size give.

    Raises:
        InputError: the file is not safetensors, or larger than any adapter.
    """
    length = int.from_bytes(start, "little")
    if size < 10 or length > size:
        raise InputError(f"{path} is no safetensors file", NOT_OURS)
    if length > MAX_HEADER_BYTES or size > MAX_BYTES:
        raise InputError(
            f"{path} is too large for an adapter (header of {length / 1e6:.0f} MB)",
            "give a LoRA file",
        )
    return length


def parse_header(path: Path, content: bytes) -> tuple[Header, dict[str, Any]]:
    """(keys with format and shape, metadata) of a safetensors header.

    Raises:
        InputError: it is none, or promises what no adapter needs.
    """
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        raise InputError(f"{path} is no safetensors file", NOT_OURS) from None
    if not isinstance(said, dict) or not all(isinstance(entry, dict) for entry in said.values()):
        raise InputError(f"{path} is no safetensors file", NOT_OURS)
    metadata, header = said.pop("__metadata__", {}), {}
    for key, entry in said.items():
        kind, shape = entry.get("dtype"), entry.get("shape")
        if not isinstance(shape, list) or not all(type(side) is int for side in shape):
            raise InputError(f"{path} is no safetensors file", NOT_OURS)
        if kind not in FLOATS:
            raise InputError(
                f"{path} holds {kind} numbers in {key[:80]}",
                "only floating point adapters can be used",
            )
        if 0 in shape:
            raise InputError(f"{path} holds an empty tensor {key[:80]}", AGAIN)
        header[key] = (str(kind), shape)
    return header, metadata


def check_shapes(path: Path, header: Header, roles: dict[str, dict[str, str]]) -> None:
    """Make sure that every layer has both factors, of one sensible rank.

    Raises:
        InputError: one has not.
    """
    for layer, keys in roles.items():
        if DOWN not in keys or UP not in keys:
            missing = DOWN if DOWN not in keys else UP
            raise InputError(f"{path} has no {missing} factor for {layer[:80]}", AGAIN)
        down, up = header[keys[DOWN]][1], header[keys[UP]][1]
        if (
            len(down) not in (2, 4)
            or len(up) != len(down)
            or up[1] != down[0]
            or up[2:] not in ([], [1, 1])
        ):
            raise InputError(f"{path}: factors of {layer[:80]} do not fit: {down} and {up}", AGAIN)
        if ALPHA in keys and math.prod(header[keys[ALPHA]][1]) != 1:
            raise InputError(f"{path}: alpha of {layer[:80]} is no single number", AGAIN)
        if down[0] > MAX_RANK:
            raise InputError(
                f"{path}: rank {down[0]} in {layer[:80]} is absurd",
                f"ranks up to {MAX_RANK} can be used",
            )


class Alphas:
    """Alpha where diffusers wrote it into the file's metadata; without, a scale of 1 is meant."""

    def __init__(self, path: Path, metadata: dict[str, Any]) -> None:
        """Raises:
        InputError: the metadata is broken.
        """
        try:
            self.said = json.loads(metadata.get("lora_adapter_metadata", "{}"))
            if not isinstance(self.said, dict):
                raise ValueError(self.said)
            self.patterns = {
                part: dict(self.said.get(f"{part}alpha_pattern") or {}) for part in PARTS
            }
            self.plain = {part: self.said.get(f"{part}lora_alpha") for part in PARTS}
            for value in [
                *self.plain.values(),
                *(alpha for named in self.patterns.values() for alpha in named.values()),
            ]:
                float(value or 0)
        except (ValueError, TypeError, RecursionError):
            raise InputError(f"{path}: its metadata about alpha is broken", AGAIN) from None

    def of(self, layer: str, rank: int) -> float:
        """Alpha of a layer. Patterns are matched as names or their ends, never run as expressions of a stranger."""
        part = next(part for part in PARTS if layer.startswith(part))
        module = layer.removeprefix(part)
        named = next(
            (
                alpha
                for name, alpha in self.patterns[part].items()
                if module == name or module.endswith(f".{name}")
            ),
            None,
        )
        alpha = self.plain[part] if named is None else named
        if alpha is None:
            return float(rank)
        return float(alpha) * (math.sqrt(rank) if self.said.get(f"{part}use_rslora") else 1.0)
