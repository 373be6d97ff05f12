"""StickerForge: transparent stickers from a sentence. The Python API mirrors the commands."""

from importlib import import_module
from typing import TYPE_CHECKING

from stickerforge.version import __version__

if TYPE_CHECKING:
    from stickerforge.commands.caption import caption
    from stickerforge.commands.customize import customize
    from stickerforge.commands.evaluate import evaluate
    from stickerforge.commands.generate import generate
    from stickerforge.commands.merge import merge
    from stickerforge.commands.rate import rate
    from stickerforge.commands.tailor_alpha import tailor_alpha
    from stickerforge.commands.tailor_image import tailor_image
    from stickerforge.commands.tailor_prompt import tailor_prompt
    from stickerforge.commands.tailor_reward import tailor_reward
    from stickerforge.commands.tailor_style import tailor_style

__all__ = [
    "__version__",
    "caption",
    "customize",
    "evaluate",
    "generate",
    "merge",
    "rate",
    "tailor_alpha",
    "tailor_image",
    "tailor_prompt",
    "tailor_reward",
    "tailor_style",
]


def __getattr__(name: str) -> object:
    """Commands are imported when first used (PEP 562): `import stickerforge` loads no torch."""
    if name in __all__:
        return getattr(import_module(f"stickerforge.commands.{name}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
