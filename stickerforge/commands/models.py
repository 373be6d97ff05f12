"""`models list` and `models show`."""

from pathlib import Path
from typing import Any

from stickerforge.config.style_presets import style_presets
from stickerforge.errors import InputError
from stickerforge.generation.things_sheet import write_things_sheet
from stickerforge.models.card import read_card
from stickerforge.models.checksums import fingerprint
from stickerforge.models.cost import model_bytes
from stickerforge.models.families.specs import FAMILIES
from stickerforge.models.hub import KNOWN_ON_HUB
from stickerforge.models.network_config import has_alpha
from stickerforge.models.registry import EMBEDDED, find_model
from stickerforge.models.things import read_things
from stickerforge.models.vocabulary import known_words
from stickerforge.runtime.console import Console

ON_LINES_OF_THEIR_OWN = ("words", "sampling", "styles", "things")


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


def show_model(name: str, *, with_words: bool = False) -> tuple[dict[str, Any], list[str]]:
    """(result for the JSON, lines for people): everything known of one model.

    Args:
        with_words: whether the lines list every word that it was trained on.
    """
    card = find_model(name, offline=True)
    words, things = sorted(known_words(card)), read_things(card)
    groups = (
        {group: list(things.groups[group].values()) for group in things.groups} if things else {}
    )
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
        "things": groups,
        "words": words,
    }
    lines = [
        f"{key:12} {value}" for key, value in result.items() if key not in ON_LINES_OF_THEIR_OWN
    ]
    if card.sampling:
        sampling = ", ".join(f"{key} {value}" for key, value in card.sampling.items())
        lines.append(f"{'sampling':12} {sampling}")
    lines.append(f"{'styles':12} {', '.join(styles)}")
    if groups:
        lines.append(f"{'things':12} {sum(map(len, groups.values()))} in {len(groups)} groups:")
        lines += [f"{group}: {', '.join(names)}" for group, names in groups.items()]
    if words and (with_words or not groups):
        lines += [f"{'words':12} {len(words)} words, all lower case:", " ".join(words)]
    elif words:
        lines.append(f"{'words':12} {len(words)}; --words lists them")
    return result, lines


def draw_things(
    name: str, file: str, group: str, console: Console, *, style: str = "sticker"
) -> tuple[dict[str, Any], list[str]]:
    """(result for the JSON, lines for people): the things of a model, drawn on one page.

    Args:
        file: where the page is written, a PNG.
        group: the beginning of a group's name; "" for all.

    Raises:
        InputError: the model has no table of things, or none such group.
    """
    card = find_model(name, offline=True)
    things = read_things(card)
    if things is None:
        raise InputError(f"{card.title} has no table of things", "--sheet is for models with one")
    groups = [title for title in things.groups if title.startswith(group.lower())]
    if not groups:
        raise InputError(f"no group {group!r}", f"give one of: {', '.join(things.groups)}")
    path = Path(file)
    if path.suffix.lower() != ".png":
        raise InputError(f"{path} is no .png", "the page is a PNG: name it so")
    names = list(dict.fromkeys(n for title in groups for n in things.groups[title].values()))
    failed = write_things_sheet(path, card, names, style, console)
    return {"sheet": str(path), "things": len(names), "failed": failed}, [str(path)]
