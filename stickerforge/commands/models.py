"""`models list` and `models show`."""

from typing import Any

from stickerforge.config.style_presets import style_presets
from stickerforge.models.card import read_card
from stickerforge.models.checksums import fingerprint
from stickerforge.models.cost import model_bytes
from stickerforge.models.families.specs import FAMILIES
from stickerforge.models.hub import KNOWN_ON_HUB
from stickerforge.models.network_config import has_alpha
from stickerforge.models.registry import EMBEDDED, find_model
from stickerforge.models.vocabulary import known_words

ON_LINES_OF_THEIR_OWN = ("words", "sampling", "styles")


def list_models() -> tuple[dict[str, Any], list[str]]:
    """(result for the JSON, lines for people): models by name, and where they are."""
    cards = [read_card(folder, name) for name, folder in EMBEDDED.items()]
    rows = [(card.title, "in this package", card.licence) for card in cards]
    rows += [
        (name, "hub, fetched when first used", licence)
        for name, (licence, _) in KNOWN_ON_HUB.items()
    ]
    result = {
        "models": [
            {"name": name, "where": where, "licence": licence} for name, where, licence in rows
        ]
    }
    lines = [f"{name:48}  {where:30}  {licence}" for name, where, licence in rows]
    titles = " or ".join(spec.title for spec in FAMILIES.values())
    lines.append(f"any {titles} folder in diffusers format works too: --model FOLDER")
    return result, lines


def show_model(name: str) -> tuple[dict[str, Any], list[str]]:
    """(result for the JSON, lines for people): everything known of one model."""
    card = find_model(name, offline=True)
    words = sorted(known_words(card))
    styles = sorted(style_presets())
    result: dict[str, Any] = {
        "name": card.name,
        "version": card.version,
        "folder": str(card.folder),
        "licence": card.licence,
        "about": card.about,
        "fingerprint": fingerprint(card.folder),
        "alpha": card.alpha or ("straight" if has_alpha(card) else "none"),
        "megabytes": round(model_bytes(card) / 1e6, 1),
        "sampling": card.sampling,
        "styles": styles,
        "words": words,
    }
    lines = [
        f"{key:12} {value}" for key, value in result.items() if key not in ON_LINES_OF_THEIR_OWN
    ]
    if card.sampling:
        sampling = ", ".join(f"{key} {value}" for key, value in card.sampling.items())
        lines.append(f"{'sampling':12} {sampling}")
    lines.append(f"{'styles':12} {', '.join(styles)}")
    if words:
        lines += [f"{'words':12} {len(words)} words, all lower case:", " ".join(words)]
    return result, lines
