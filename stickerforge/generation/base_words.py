"""What consistency guidance tells the base: words that it knows in place of placeholders."""

from collections.abc import Mapping, Sequence
from typing import Any

from stickerforge.data.english import replace_noun
from stickerforge.generation.active_adapters import ActiveAdapter


def class_words_of(adapters: Sequence[ActiveAdapter]) -> dict[str, str]:
    """{placeholder: the class words for which it stands} of all adapters."""
    pairs = [zip(adapter.tokens, adapter.class_words, strict=True) for adapter in adapters]
    return dict(pair for own in pairs for pair in own)


def grammatical_texts(
    adapters: Sequence[ActiveAdapter], text: str, negative: str
) -> dict[str, list[str]]:
    """What consistency guidance tells the base, where its grammar makes another text of it.

    Before, class words stood for placeholders as they are: "a animal". Where that is the same text,
    images keep their names.
    """
    plain = grammatical = [text, negative]
    for token, words in class_words_of(adapters).items():
        plain = [one.replace(token, words) for one in plain]
        grammatical = [replace_noun(one, token, words) for one in grammatical]
    return {} if plain == grammatical else {"base": grammatical}


def base_words(adapter: ActiveAdapter, sampling: Mapping[str, Any]) -> dict[str, Any]:
    """The class words of a LoRA file, where consistency guidance makes them count.

    They depend on what is installed, which the file's digest does not say.
    """
    if adapter.base is None and adapter.class_words and sampling.get("consistency") is not None:
        return {"words": list(adapter.class_words)}
    return {}
