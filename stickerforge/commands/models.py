"""`models list` and `models show`."""

from typing import Any

from stickerforge.config.styles import styles
from stickerforge.models.catalog import EMBEDDED, KNOWN_ON_HUB, Card, has_alpha, located, read_card
from stickerforge.models.cost import weights_bytes
from stickerforge.models.weights import fingerprint
from stickerforge.models.words import known_words


def listed() -> tuple[dict[str, Any], list[str]]:
    """(result for the JSON, lines for people): models by name, and where they are."""
    rows = [(read_card(folder, name).title, "in this package", read_card(folder, name).licence) for name, folder in EMBEDDED.items()]
    rows += [(name, "hub, fetched when first used", licence) for name, (licence, _) in KNOWN_ON_HUB.items()]
    result = {"models": [{"name": name, "where": where, "licence": licence} for name, where, licence in rows]}
    lines = [f"{name:48}  {where:30}  {licence}" for name, where, licence in rows]
    return result, [*lines, "any Stable Diffusion 1.x, 2.x or XL folder in diffusers format works too: --model FOLDER"]


def shown(name: str) -> tuple[dict[str, Any], list[str]]:
    """(result for the JSON, lines for people): everything known of one model."""
    card = located(name, offline=True)
    words = sorted(known_words(card))
    result: dict[str, Any] = {
        "name": card.name,
        "version": card.version,
        "folder": str(card.folder),
        "licence": card.licence,
        "about": card.about,
        "fingerprint": fingerprint(card.folder),
        "alpha": card.alpha or ("straight" if has_alpha(card) else "none"),
        "megabytes": round(total_bytes(card) / 1e6, 1),
        "sampling": card.sampling,
        "styles": sorted(styles()),
        "words": words,
    }
    lines = [f"{key:12} {value}" for key, value in result.items() if key not in ("words", "sampling", "styles")]
    lines += [f"{'sampling':12} " + ", ".join(f"{key} {value}" for key, value in card.sampling.items())] if card.sampling else []
    lines.append(f"{'styles':12} {', '.join(sorted(styles()))}")
    if words:
        lines += [f"{'words':12} {len(words)} words, all lower case:", " ".join(words)]
    return result, lines


def total_bytes(card: Card) -> int:
    """Weights of all parts."""
    return sum(weights_bytes(card.folder / part) for part in ("unet", "vae", "text_encoder"))
