"""Style presets, read from styles.toml beside this file."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class StylePreset:
    """How one look is asked for.

    Args:
        words: what a model trained on our captions knows it by; appended to the prompt.
        template: what any other model is told; holds "{prompt}".
        negative: what such a model is told to avoid.
    """

    name: str
    about: str
    words: str
    template: str
    negative: str


@cache
def style_presets() -> dict[str, StylePreset]:
    """Every preset by name."""
    text = (
        resources.files("stickerforge.config")
        .joinpath("style_presets.toml")
        .read_text(encoding="utf-8")
    )
    return {name: StylePreset(name, **entry) for name, entry in tomllib.loads(text).items()}
