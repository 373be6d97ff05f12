"""LoRA files with new tokens, as they are read: ours and the common ones of others.

An adapter of ours is one file in the form of `encode`, as older versions left it and as digests
are taken of, or the two files of `lora_export`. torch is imported when a tensor is touched, so that
headers can be checked at once.
"""

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from stickerforge.adapters.header import AGAIN, AdapterFile, Header
from stickerforge.adapters.lora_alphas import MAX_ALPHA, AlphaRules
from stickerforge.adapters.lora_keys import ALPHA, DOWN, UP, ending, layer_in, sort_keys
from stickerforge.errors import InputError
from stickerforge.runtime.json_text import parse_json

if TYPE_CHECKING:
    from torch import Tensor

    from stickerforge.adapters.lora_weights import AdapterWeights, LoraWeights

MAX_RANK = 1024
MAX_TOKENS = 1000
TOKEN = re.compile(r"token\.(<[^<>]+>)\.(\w+)")  # in one file of ours
PLACEHOLDER = re.compile(r"<[^<>]+>")  # the whole key, in files of embeddings
ONLY_ENCODER = "clip_l"  # the text encoder that is meant where a file of embeddings names none
PART_OF = "stickerforge.adapter"  # in the metadata of our files: the digest of the whole adapter
FILES = "stickerforge.files"  # likewise: how many files the adapter has
NETWORK = "stickerforge.network"  # of a file that adapts one network and does not name it
TOKENS = "stickerforge.tokens"  # likewise: the placeholders whose embeddings are the rows, as JSON


def encode(weights: "AdapterWeights") -> bytes:
    """An adapter as one file: peft's key names, alpha beside them, float32.

    Equal adapters give equal bytes in every version, and pictures remember the digest of them.
    """
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


def parse(*files: AdapterFile) -> "AdapterWeights":
    """The adapter in files of ours, of peft or diffusers, or of kohya's trainer.

    Layers are named as the files name them; `FamilySpec.layer_name` finds them in a model.

    Raises:
        InputError: they hold no sound adapter.
    """
    from stickerforge.adapters.lora_weights import AdapterWeights

    lora: dict[str, LoraWeights] = {}
    tokens: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for file in files:
        places = token_places(file)
        keys = {key for key, _ in places.values()}
        header = {key: entry for key, entry in file.header.items() if key not in keys}
        tensors, network = finite_tensors(file), file.metadata.get(NETWORK, "")
        factors = read_factors(file.path, header, tensors, AlphaRules(file.path, file.metadata))
        lora |= {layer_in(network, layer): own for layer, own in factors.items()}
        for (placeholder, encoder), (key, row) in places.items():
            embedding = tensors[key].float()
            tokens[placeholder][encoder] = embedding if row is None else embedding[row].clone()
    if not lora and not tokens:
        raise InputError(f"{files[0].path} holds no LoRA", "give a LoRA file in safetensors format")
    return AdapterWeights(lora, dict(tokens))


def read_factors(
    path: Path, header: Header, tensors: "Mapping[str, Tensor]", alphas: AlphaRules
) -> "dict[str, LoraWeights]":
    """The factors of every layer.

    Args:
        path: for errors.
        header: of the tensors that are factors, or alphas beside them, by their keys.
        alphas: for layers without an alpha of their own.

    Raises:
        InputError: they are no sound LoRA.
    """
    from stickerforge.adapters.lora_weights import LoraWeights

    layers = sort_keys(path, header)
    check_shapes(path, header, layers)
    lora = {}
    for layer, roles in layers.items():
        down, up = tensors[roles[DOWN]].float(), tensors[roles[UP]].float()
        alpha = alphas.alpha(layer, len(down))
        if ALPHA in roles:
            alpha = float(tensors[roles[ALPHA]])
        if not abs(alpha) <= MAX_ALPHA:
            raise InputError(f"{path}: alpha of {layer[:80]} is absurd: {alpha:g}", AGAIN)
        lora[layer] = LoraWeights(down, up, alpha)
    return lora


def finite_tensors(file: AdapterFile) -> "dict[str, Tensor]":
    """The tensors of a file.

    Raises:
        InputError: the file is cut short, or holds what is no number.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(file.content)
    except SafetensorError as error:
        raise InputError(f"{file.path} is broken: {str(error)[:100]}", AGAIN) from None
    for key, tensor in tensors.items():
        if not bool(tensor.float().isfinite().all()):
            raise InputError(f"{file.path} holds numbers that are not finite in {key[:80]}", AGAIN)
    return tensors


def token_places(file: AdapterFile) -> dict[tuple[str, str], tuple[str, int | None]]:
    """{(placeholder, text encoder): (key, row of that tensor, None for all of it)}.

    Raises:
        InputError: it is a file of embeddings whose placeholders nobody says, or do not fit them.
    """
    places: dict[tuple[str, str], tuple[str, int | None]] = {}
    for key in file.header:
        if match := TOKEN.fullmatch(key):
            places[match[1], match[2]] = key, None
        elif PLACEHOLDER.fullmatch(key) and PART_OF in file.metadata:
            places[key, ONLY_ENCODER] = key, None
    if any(len(file.header[key][1]) != 1 for key, _ in places.values()):
        raise InputError(f"{file.path} holds an embedding that is no vector", AGAIN)
    if TOKENS not in file.metadata:
        return places
    placeholders = listed_tokens(file)
    for encoder, (_, shape) in file.header.items():
        if len(shape) != 2 or shape[0] != len(placeholders):
            raise InputError(f"{file.path}: its embeddings and its tokens do not fit", AGAIN)
        for row, placeholder in enumerate(placeholders):
            places[placeholder, encoder] = encoder, row
    return places


def listed_tokens(file: AdapterFile) -> list[str]:
    """The placeholders that the metadata lists.

    Raises:
        InputError: it is broken.
    """
    try:
        names = parse_json(file.metadata[TOKENS])
        known = isinstance(names, list) and len(names) <= MAX_TOKENS and len(file.header) <= 8
        if known and all(PLACEHOLDER.fullmatch(name) for name in names):
            return [str(name) for name in names]
    except (ValueError, TypeError):
        pass
    raise InputError(f"{file.path}: its metadata about tokens is broken", AGAIN)


def token_names(*files: AdapterFile) -> tuple[str, ...]:
    """The placeholders whose embeddings the files hold."""
    return tuple(dict.fromkeys(name for file in files for name, _ in token_places(file)))


def is_lora(file: AdapterFile) -> bool:
    """Whether every tensor of a file is a low-rank factor, its alpha, or a token's embedding."""
    tokens = {key for key, _ in token_places(file).values()}
    return bool(file.header) and all(key in tokens or ending(key) for key in file.header)


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
