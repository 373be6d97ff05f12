"""Prompts of the bank in the words of a model: those that it cannot draw are left out."""

from collections.abc import Iterable
from itertools import chain

from stickerforge.data.prompt_bank import Reword
from stickerforge.generation.reduced_prompt import ReducedPrompt, reduce_prompt
from stickerforge.models.card import ModelCard
from stickerforge.models.things import Things, read_things, words_of

CONNECTING = frozenset("a an the and is that with of to next".split())
SAME = {"under": "below", "on top of": "above"}  # relations that mean the same


def reworder(card: ModelCard) -> Reword | None:
    """What says a prompt in the words of a model; None for one that has no table of things.

    Raises:
        InputError: its table is broken.
        EnvironmentFault: likewise in what was fetched or installed.
    """
    things = read_things(card)
    if things is None:
        return None
    known = known_words(things)

    def reword(text: str, named: int) -> str:
        if not set(words_of(text)) <= known:  # at once: looking for what is near takes a while
            return ""
        reduced = reduce_prompt(text, things)
        return reduced.text if is_faithful(text, reduced) and len(reduced.things) >= named else ""

    return reword


def known_words(things: Things) -> frozenset[str]:
    """Every word that means something to a model, alone or with others."""
    texts: Iterable[str] = chain(
        things.names, things.names.values(), things.nouns, things.phrases, things.relations
    )
    texts = chain(texts, things.colours, things.attributes, things.spans, things.worn)
    return CONNECTING | {"wearing", "holding"} | {word for text in texts for word in words_of(text)}


def is_faithful(text: str, reduced: ReducedPrompt) -> bool:
    """Whether a reduced prompt still says all that the prompt says.

    Nothing is left out, and what stands for something else shares a word with it.
    """
    kept = set(words_of(reduced.text))
    for said, near in reduced.replaced:
        if SAME.get(said) != near and not set(words_of(said)) & set(words_of(near)):
            rest = set(words_of(text)) - set(words_of(said)) - CONNECTING
            if not set(words_of(near)) & rest:
                return False
        kept |= set(words_of(said))
    return set(words_of(text)) <= kept | CONNECTING
