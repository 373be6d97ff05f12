"""The one place where a folder of transformers or diffusers becomes objects.

A folder may be a stranger's. Whatever it says of itself, no Python of it runs, nothing is asked on
the terminal, nothing pickled is read, and no connection is opened: `models.hub` alone fetches.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import constants
from safetensors import safe_open

from stickerforge.models.origin import PACKAGE
from stickerforge.runtime.bounded_files import read_text
from stickerforge.runtime.json_text import parse_json

# A model with this file beside it is loaded with that adapter, whose weights may be pickled, and
# without a configuration of its own from wherever the file says.
ADAPTER_FILE = "adapter_config.json"
# What says how large the pictures are that a processor makes, and the most of them that it may.
SIZES = ("size", "crop_size", "pad_size", "max_image_size", "size_divisor", "image_grid_pinpoints")
MOST_PIXELS = ("longest_edge", "max_pixels")
MAX_SIDE = 2048  # pixels
# How many more weights than there are a configuration may describe: where they are packed, several
# are kept as one; and few are no harm.
SPARE, SPARE_NUMBERS = 3, 20_000_000
MAX_CONFIG = 4_000_000  # bytes


def load_network(kind: Any, folder: Path, **options: Any) -> Any:
    """A network of a folder, of safetensors weights.

    Args:
        kind: a model class of transformers or diffusers, or one of transformers' auto classes.
        options: of its `from_pretrained`.

    Raises:
        ValueError: the folder holds an adapter beside the network, names code elsewhere, or
            describes a network far larger than its weights.
        Exception: whatever the library raises, see `weights.LOAD_ERRORS`.
    """
    if names := code_names(read_config(folder)):
        raise ValueError(f"its configuration names code elsewhere, {names[0]}")
    if not folder.is_relative_to(PACKAGE):  # ours are known by their sha256
        check_extent(kind, folder)
    return load_pretrained(kind, folder, use_safetensors=True, **options)


def check_extent(kind: Any, folder: Path) -> None:
    """Make sure that a configuration describes no network far larger than its weights are.

    A library makes up what is missing, in as much memory as the configuration says.

    Raises:
        ValueError: it does.
        Exception: what the library raises, see `weights.LOAD_ERRORS`.
    """
    held = 0
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            held += sum(math.prod(file.get_slice(key).get_shape()) for key in file.keys())
    with torch.device("meta"), closed_hub():  # which has shapes, and no memory behind them
        network = build_network(kind, folder)
    described = sum(parameter.numel() for parameter in network.parameters())
    if described > SPARE * held + SPARE_NUMBERS:
        raise ValueError(f"its configuration describes {described} weights, and {held} are there")


def build_network(kind: Any, folder: Path) -> Any:
    """A network as its configuration describes it, without its weights."""
    if kind.__module__.startswith("diffusers."):
        return kind.from_config(kind.load_config(folder, local_files_only=True))
    if hasattr(kind, "config_class"):
        return kind(load_pretrained(kind.config_class, folder))
    from transformers import AutoConfig  # takes a second, in which nothing is to be done before

    return kind.from_config(load_pretrained(AutoConfig, folder), trust_remote_code=False)


def load_pretrained(kind: Any, folder: Path, **options: Any) -> Any:
    """A tokenizer, a processor or a network of a folder; see `load_network`.

    Raises:
        ValueError: the folder holds an adapter beside it, or it makes pictures of absurd sizes.
        Exception: whatever the library raises, see `weights.LOAD_ERRORS`.
    """
    if (folder / ADAPTER_FILE).exists():
        raise ValueError(f"it holds an adapter ({ADAPTER_FILE}) beside the model")
    with closed_hub():
        loaded = kind.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, **options
        )
    check_sides(loaded)
    return loaded


def check_sides(loaded: Any) -> None:
    """Make sure that a processor brings pictures to no size that would fill the memory.

    Raises:
        ValueError: it does.
    """
    processor = getattr(loaded, "image_processor", loaded)
    # Those that merge patches say how many pixels a picture may have at least and at most.
    counts_pixels = hasattr(type(processor), "merge_size")
    largest = MAX_SIDE**2 if counts_pixels else MAX_SIDE
    for name in SIZES:
        for key, number in numbers_in(getattr(processor, name, None), name):
            if not number <= largest and not (counts_pixels and key in MOST_PIXELS):
                raise ValueError(f"it makes pictures of over {largest} pixels: {key} is {number}")


def numbers_in(size: Any, key: str) -> Iterator[tuple[str, float]]:
    """(key, number) of all numbers of a size, which is one, or a list or a mapping of some."""
    if isinstance(size, int | float):
        yield key, size
    elif isinstance(size, tuple) and len(size) == 2 and isinstance(size[0], str):
        yield from numbers_in(size[1], size[0])
    elif isinstance(size, Iterable) and not isinstance(size, str):
        for part in size.items() if isinstance(size, Mapping) else size:
            yield from numbers_in(part, key)


def read_config(folder: Path) -> Any:
    """The configuration of a folder as parsed JSON; None where it cannot be read, as the library
    will say.

    Raises:
        ValueError: it is not JSON, or not such as `parse_json` takes: what it names is not known.
    """
    try:
        text = read_text(folder / "config.json", MAX_CONFIG)
    except OSError:
        return None
    return parse_json(text)


def code_names(config: Any) -> list[str]:
    """What a configuration names in place of an implementation that the library has itself.

    transformers takes "owner/name" for compiled code on the hub: {"attn_implementation": ...}, also
    below "text_config" and the like.
    """
    found, left = list[str](), [("", config)]
    while left:
        key, value = left.pop()
        if isinstance(value, dict):
            # {"attn_implementation": {"text_config": ...}} names one for each part.
            of = key if key.endswith("_implementation") else ""
            left += [(of or str(name), part) for name, part in value.items()]
        elif isinstance(value, list):
            left += [(key, part) for part in value]
        elif key.endswith("_implementation") and not re.fullmatch(r"\w+", str(value)):
            found.append(str(value))
    return found


@contextmanager
def closed_hub() -> Iterator[None]:
    """Let no library reach the hub meanwhile: what a configuration names is not fetched."""
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
