"""`models list` and `models show`."""

from typing import Any

from stickerforge.config.style_presets import style_presets
from stickerforge.models.card import ModelCard, has_alpha, read_card
from stickerforge.models.checksums import fingerprint
from stickerforge.models.cost import weights_bytes
from stickerforge.models.hub import KNOWN_ON_HUB
from stickerforge.models.registry import EMBEDDED, find_model
from stickerforge.models.vocabulary import known_words


def list_models() -> tuple[dict[str, Any], list[str]]:
    """(result for the JSON, lines for people): models by name, and where they are."""
    rows = [
        (read_card(folder, name).title, "in this package", read_card(folder, name).licence)
        for name, folder in EMBEDDED.items()
    ]
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
    return result, [
        *lines,
        "any Stable Diffusion 1.x, 2.x or XL folder in diffusers format works too: --model FOLDER",
    ]


def show_model(name: str) -> tuple[dict[str, Any], list[str]]:
    """(result for the JSON, lines for people): everything known of one model."""
    card = find_model(name, offline=True)
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
        "styles": sorted(style_presets()),
        "words": words,
    }
    lines = [
        f"{key:12} {value}"
        for key, value in result.items()
        if key not in ("words", "sampling", "styles")
    ]
    lines += (
        [f"{'sampling':12} " + ", ".join(f"{key} {value}" for key, value in card.sampling.items())]
        if card.sampling
        else []
    )
    lines.append(f"{'styles':12} {', '.join(sorted(style_presets()))}")
    if words:
        lines += [f"{'words':12} {len(words)} words, all lower case:", " ".join(words)]
    return result, lines


def total_bytes(card: ModelCard) -> int:
    """Weights of all parts."""
    return sum(weights_bytes(card.folder / part) for part in ("unet", "vae", "text_encoder"))
