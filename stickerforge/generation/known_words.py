"""Prompts in the words of the model: what it cannot draw is replaced, left out, or refused."""

from collections.abc import Sequence
from dataclasses import replace

from stickerforge.config.schema import WordsConfig
from stickerforge.errors import InputError
from stickerforge.generation.active_adapters import ActiveAdapter
from stickerforge.generation.reduced_prompt import nearest_things, reduce_prompt
from stickerforge.generation.requests import Request
from stickerforge.models.card import ModelCard
from stickerforge.models.things import Things, read_things


def reduce_requests(
    requests: Sequence[Request], words: WordsConfig, card: ModelCard, *, typed: int
) -> tuple[list[Request], list[str]]:
    """(requests whose prompts are reduced to what the model can draw, a line for each refused one).

    Requests stay as they are where the card lists no things.

    Args:
        typed: how many requests are prompts of the command line, the first ones.

    Raises:
        InputError: nothing of one of those can be drawn, or of any prompt.
        EnvironmentFault: the model's table of things is broken.
    """
    things = read_things(card) if words.unknown == "replace" else None
    if things is None:
        return list(requests), []
    result = [reduce_request(request, things) for request in requests]
    refused = [at for at, request in enumerate(result) if is_refused(request)]
    if refused and (refused[0] < typed or len(refused) == len(result)):
        raise InputError(*refusal(result[refused[0]], things))
    return result, [": ".join(refusal(result[at], things)) for at in refused]


def is_refused(request: Request) -> bool:
    """Whether nothing of its prompt can be drawn."""
    return request.reduced is not None and not request.reduced.text


def reduce_request(request: Request, things: Things) -> Request:
    """A request with its prompt reduced; not with a stranger's LoRA, whose words may count."""
    if any(has_words_of_its_own(adapter) for adapter in request.adapters):
        return request
    phrases = tuple(adapter.phrase for adapter in request.adapters if adapter.phrase)
    reduced = reduce_prompt(request.text, things, phrases)
    return replace(request, text=reduced.text, reduced=reduced)


def has_words_of_its_own(adapter: ActiveAdapter) -> bool:
    """Whether an adapter may have learned words that nothing says: others' LoRA files."""
    placeholders = [token for token in adapter.tokens if token.startswith("<")]
    return not adapter.phrase and (not adapter.tokens or len(placeholders) < len(adapter.tokens))


def refusal(request: Request, things: Things) -> tuple[str, str]:
    """(what is wrong with a prompt of which nothing can be drawn, what to do)."""
    nearest = ", ".join(nearest_things(request.row.prompt, things))
    return (
        f"nothing in {request.row.prompt[:60]!r} can be drawn",
        f"nearest: {nearest}; --set words.unknown=keep tries it as it stands",
    )
