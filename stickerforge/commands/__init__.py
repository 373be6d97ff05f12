"""One module per command: plan, run, dry_run, Result.

Each is imported when first used (PEP 562), so that `--help` loads none of them.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stickerforge.commands import (
        adapters,
        adapters_bake,
        adapters_export,
        caption,
        customize,
        doctor,
        evaluate,
        generate,
        merge,
        models,
        rate,
        tailor_alpha,
        tailor_image,
        tailor_prompt,
        tailor_reward,
        tailor_style,
    )

__all__ = [
    "adapters",
    "adapters_bake",
    "adapters_export",
    "caption",
    "customize",
    "doctor",
    "evaluate",
    "generate",
    "merge",
    "models",
    "rate",
    "tailor_alpha",
    "tailor_image",
    "tailor_prompt",
    "tailor_reward",
    "tailor_style",
]


def __getattr__(name: str) -> ModuleType:
    """The command's module."""
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
