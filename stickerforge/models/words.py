"""Words that a small model never saw: said before they disappoint."""

import difflib
import re
from collections.abc import Iterable

from stickerforge.models.catalog import Card

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
FILLERS = frozenset("a an and at by for from her his in is it its my of on or our the their to with your".split())


def known_words(card: Card) -> frozenset[str]:
    """Lower-case words the model was trained on; empty where that is not known."""
    path = card.folder / card.words_file
    return frozenset(path.read_text(encoding="utf-8").split()) if card.words_file and path.exists() else frozenset()


def unseen_words(prompts: Iterable[str], known: frozenset[str]) -> dict[str, list[str]]:
    """{word: the nearest known words} for words of the prompts that the model never saw, in order.

    A plural whose singular is known counts as known; words in <angle brackets> are placeholders.
    """
    found: dict[str, list[str]] = {}
    for prompt in prompts:
        for word in WORD.findall(re.sub(r"<[^<>]*>", " ", prompt.lower())):
            parts = {word, word.removesuffix("s"), word.removesuffix("es"), *re.split("[-'’]", word)[:1]}
            if known and word not in FILLERS and not parts & known:
                found[word] = difflib.get_close_matches(word, sorted(known), n=3, cutoff=0.6)
    return found


def unseen_warning(card: Card, unseen: dict[str, list[str]]) -> str:
    """One line about all of them."""
    said = [f'"{word}"' + (f" (nearest: {', '.join(near)})" if near else "") for word, near in unseen.items()]
    return f"{card.name} never saw {'; '.join(said)}: `stickerforge models show {card.name}` lists its words"
