"""The one place where a folder of transformers or diffusers becomes objects.

A folder may be a stranger's. Whatever it says of itself, no Python of it runs, nothing is asked on
the terminal, nothing pickled is read, and no connection is opened: `models.hub` alone fetches.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import constants

from stickerforge.runtime.bounded_files import read_text
from stickerforge.runtime.json_text import parse_json

# A model with this file beside it is loaded with that adapter, whose weights may be pickled, and
# without a configuration of its own from wherever the file says.
ADAPTER_FILE = "adapter_config.json"
MAX_CONFIG = 4_000_000  # bytes


def load_network(kind: Any, folder: Path, **options: Any) -> Any:
    """A network of a folder, of safetensors weights.

    Args:
        kind: a model class of transformers or diffusers, or one of transformers' auto classes.
        options: of its `from_pretrained`.

    Raises:
        ValueError: the folder holds an adapter beside the network, or names code elsewhere.
        Exception: whatever the library raises, see `weights.LOAD_ERRORS`.
    """
    if names := code_names(read_config(folder)):
        raise ValueError(f"its configuration names code elsewhere, {names[0]}")
    return load_pretrained(kind, folder, use_safetensors=True, **options)


def load_pretrained(kind: Any, folder: Path, **options: Any) -> Any:
    """A tokenizer, a processor or a network of a folder; see `load_network`."""
    if (folder / ADAPTER_FILE).exists():
        raise ValueError(f"it holds an adapter ({ADAPTER_FILE}) beside the model")
    with closed_hub():
        return kind.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, **options
        )


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
