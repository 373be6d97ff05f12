"""What the shell offers: styles, and things that the embedded model draws."""

from stickerforge.adapters import store
from stickerforge.config.style_presets import style_presets
from stickerforge.errors import StickerforgeError
from stickerforge.models.card import read_card
from stickerforge.models.registry import EMBEDDED
from stickerforge.models.things import read_things

MODEL = "sticker-mini"


def complete_style(incomplete: str) -> list[str]:
    """Presets and installed adapters that begin so."""
    try:
        names = [*style_presets(), *store.names()]
    except (StickerforgeError, OSError):  # nobody reads an error while a word is completed
        names = list(style_presets())
    return sorted({name for name in names if name.startswith(incomplete)})


def complete_prompt(incomplete: str) -> list[str]:
    """Things of one word that begin so; a shell would part others into several prompts."""
    try:
        things = read_things(read_card(EMBEDDED[MODEL], MODEL))
    except StickerforgeError:
        return []
    names = things.names.values() if things else ()
    return sorted({n for n in names if n.startswith(incomplete.lower()) and " " not in n})


COMPLETIONS = {"style": complete_style, "prompt": complete_prompt}
