"""Whether an image comes out in flat colours, and in which inks."""

from stickerforge.config.schema import OutputConfig
from stickerforge.generation.active_adapters import drawing_adapters
from stickerforge.generation.requests import Request
from stickerforge.models.card import ModelCard


def flat_palette(
    request: Request, text: str, card: ModelCard, output: OutputConfig
) -> tuple[str, ...] | None:
    """The inks of a flat image, empty where none are known; None where it is not to be flat."""
    style = flat_style(request, text, card)
    if output.colours == "drawn" or (output.colours == "auto" and not style):
        return None
    # What an adapter learned keeps its colours.
    return card.inks[style] if style and not drawing_adapters(request.adapters) else ()


def flat_style(request: Request, text: str, card: ModelCard) -> str:
    """The style without shading that is asked for: the preset, else what the text names.

    Returns:
        "" for none, and for a style that an adapter brings.
    """
    if any(adapter.source == request.style for adapter in request.adapters):
        return ""
    if request.preset:
        return card.flat_style(request.preset.words) if card.knows_styles else ""
    return "" if request.style else card.flat_style(text)


def flat_digest(palette: tuple[str, ...]) -> str:
    """Eight hexadecimal digits of what decides flat colours."""
    from stickerforge.stickers.flat_colors import palette_digest  # scipy, which few calls need here

    return palette_digest(palette)
