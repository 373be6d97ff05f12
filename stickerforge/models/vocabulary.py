"""Words that a small model was not trained on: named before they disappoint."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

from stickerforge.models.card import ModelCard
from stickerforge.models.origin import broken_model
from stickerforge.runtime.bounded_files import read_text

MAX_BYTES = 10_000_000  # of a list of words
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
FILLERS = frozenset(
    "a an and at by for from her his in is it its my of on or our the their to with your".split()
)


def known_words(card: ModelCard) -> frozenset[str]:
    """Lower-case words the model was trained on; empty where that is not known.

    Raises:
        InputError: their file cannot be read.
        EnvironmentFault: likewise in what was fetched or installed.
    """
    path = card.folder / card.words_file
    if not card.words_file or not path.exists():
        return frozenset()
    try:
        return frozenset(read_text(path, MAX_BYTES).split())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise broken_model(path, f"cannot read {path}: {reason}") from None


def unknown_words(prompts: Iterable[str], known: frozenset[str]) -> dict[str, list[str]]:
    """{word: the nearest known words} for words of the prompts that are not known, in order.

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
    """Whether the word, its singular, or each part of it is known, or says nothing."""
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


def unknown_warning(card: ModelCard, unknown: Mapping[str, Sequence[str]]) -> str:
    """One line about all of them.

    Args:
        unknown: {word: the nearest known words, or things}.
    """
    words = [
        f'"{word}"' + (f" (nearest: {', '.join(near)})" if near else "")
        for word, near in unknown.items()
    ]
    shown = "what it draws" if card.things_file else "its words"
    lists = f"`stickerforge models show {card.name}` lists {shown}"
    return f"{card.name} does not know {'; '.join(words)}: {lists}"
