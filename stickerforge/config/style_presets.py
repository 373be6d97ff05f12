"""Style presets, read from style_presets.toml beside this file."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class StylePreset:
    """How a style is described to a model.

    Args:
        about: what it looks like, for people.
        words: its name in our captions, appended to the prompt of a model trained on them.
        template: the prompt for any other model, with "{prompt}" for the user's.
        negative: the negative prompt for any other model.
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
