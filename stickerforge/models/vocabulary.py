"""Words that a small model never saw: said before they disappoint."""

import difflib
import re
from collections.abc import Iterable

from stickerforge.models.card import ModelCard

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
FILLERS = frozenset(
    "a an and at by for from her his in is it its my of on or our the their to with your".split()
)


def known_words(card: ModelCard) -> frozenset[str]:
    """Lower-case words the model was trained on; empty where that is not known."""
    path = card.folder / card.words_file
    return (
        frozenset(path.read_text(encoding="utf-8").split())
        if card.words_file and path.exists()
        else frozenset()
    )


def unknown_words(prompts: Iterable[str], known: frozenset[str]) -> dict[str, list[str]]:
    """{word: the nearest known words} for words of the prompts that the model never saw, in order.

    A plural whose singular is known counts as known; words in <angle brackets> are placeholders.
    """
    text = re.sub(r"<[^<>]*>", " ", "\n".join(dict.fromkeys(prompts)).lower())
    choices = sorted(known)
    return {
        word: difflib.get_close_matches(word, choices, n=3, cutoff=0.6)
        for word in dict.fromkeys(WORD.findall(text))
        if known and not is_known(word, known)
    }


def is_known(word: str, known: frozenset[str]) -> bool:
    """Whether the word, its singular, or each part of it was seen, or says nothing."""
    forms = {
        word,
        word.removesuffix("s"),
        word.removesuffix("es"),
        word.removesuffix("'s").removesuffix("’s"),
    }
    parts = re.split("[-'’]", word)
    return (
        word in FILLERS
        or bool(forms & known)
        or (len(parts) > 1 and all(is_known(part, known) for part in parts))
    )


def unknown_warning(card: ModelCard, unseen: dict[str, list[str]]) -> str:
    """One line about all of them."""
    said = [
        f'"{word}"' + (f" (nearest: {', '.join(near)})" if near else "")
        for word, near in unseen.items()
    ]
    return f"{card.name} never saw {'; '.join(said)}: `stickerforge models show {card.name}` lists its words"
