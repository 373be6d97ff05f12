"""Prompts in the words of the model: what it cannot draw is replaced, left out, or refused."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from stickerforge.config.schema import WordsConfig
from stickerforge.errors import InputError
from stickerforge.generation.active_adapters import ActiveAdapter, drawing_adapters
from stickerforge.generation.image_params import ImageJob
from stickerforge.generation.reduced_prompt import nearest_things, reduce_prompt
from stickerforge.generation.requests import Request
from stickerforge.models.card import ModelCard
from stickerforge.models.things import Things, read_things, words_of
from stickerforge.models.vocabulary import known_words, unknown_warning, unknown_words
from stickerforge.runtime.console import Console

MAX_SHOWN = 60  # characters of a prompt in a message
MAX_LINES = 100  # about prompts whose words were replaced
KEEP_WORDS = "--set words.unknown=keep draws from the prompt as it stands"


def reduce_requests(
    requests: Sequence[Request],
    words: WordsConfig,
    card: ModelCard,
    *,
    typed: int,
    pictured: bool,
) -> tuple[list[Request], list[str]]:
    """(requests whose prompts are reduced to what the model can draw, a line for each refused one).

    Requests stay as they are where the card lists no things.

    Args:
        typed: how many requests are prompts of the command line, the first ones.
        pictured: whether a picture says what is drawn: then a prompt may name nothing, and stays
            as it stands.

    Raises:
        InputError: nothing of one of those can be drawn, or of any prompt.
        EnvironmentFault: the model's table of things is broken.
    """
    things = read_things(card) if words.unknown == "replace" else None
    if things is None:
        return list(requests), []
    result = [reduce_request(request, things) for request in requests]
    if pictured:
        pairs = zip(requests, result, strict=True)
        result = [before if is_refused(after) else after for before, after in pairs]
    refused = [at for at, request in enumerate(result) if is_refused(request)]
    if refused and (refused[0] < typed or len(refused) == len(result)):
        raise InputError(*refusal(result[refused[0]], things, card))
    return result, ["; ".join(refusal(result[at], things, card)) for at in refused]


def is_refused(request: Request) -> bool:
    """Whether nothing of its prompt can be drawn."""
    return request.reduced is not None and not request.reduced.text


def reduce_request(request: Request, things: Things) -> Request:
    """A request with its prompt reduced; not with a stranger's LoRA, whose words may count.

    Without a prompt a picture says what is drawn.
    """
    if not request.row.prompt or any(map(has_words_of_its_own, drawing_adapters(request.adapters))):
        return request
    phrases = tuple(adapter.phrase for adapter in request.adapters if adapter.phrase)
    reduced = reduce_prompt(request.text, things, phrases)
    return replace(request, text=reduced.text, reduced=reduced)


def has_words_of_its_own(adapter: ActiveAdapter) -> bool:
    """Whether an adapter may have learned words that nothing says: others' LoRA files."""
    placeholders = [token for token in adapter.tokens if token.startswith("<")]
    return not adapter.phrase and (not adapter.tokens or len(placeholders) < len(adapter.tokens))


def refusal(request: Request, things: Things, card: ModelCard) -> tuple[str, str]:
    """(what is wrong with a prompt of which nothing can be drawn, what to do)."""
    nearest = ", ".join(nearest_things(request.row.prompt, things))
    return (
        f"{shorten(request.row.prompt)!r} names nothing that {card.name} draws",
        f"nearest: {nearest}; {KEEP_WORDS}",
    )


def warn_of_words(jobs: Sequence[ImageJob], card: ModelCard, console: Console) -> None:
    """Say what became of each prompt; of those that are kept, what the model does not know.

    Phrases of adapters are not among that, nor what an adapter of `tailor prompt` reads: nothing
    says which words it was taught.
    """
    lines = {job.prompt: job.reduced.line() for job in jobs if job.reduced}
    left_out = {job.prompt: job.reduced.left_out for job in jobs if job.reduced}
    for number, (prompt, line) in enumerate(item for item in lines.items() if item[1]):
        if number == MAX_LINES:
            console.warn("what became of the other prompts is in the JSON of --json")
            break
        text = line if len(lines) == 1 else f"{shorten(prompt)!r}: {line}"
        if left_out[prompt]:
            console.warn(text)
        else:  # nothing is missing
            console.say(text)
    texts = []
    for job in (job for job in jobs if not job.reduced):
        if any(adapter.long_prompts for adapter in job.adapters):
            continue
        text = job.text
        for adapter in job.adapters:
            text = text.replace(adapter.phrase, "") if adapter.phrase else text
        texts.append(text)
    if warning := words_warning(texts, card):
        console.warn(warning)


def shorten(prompt: str) -> str:
    """The beginning of a prompt."""
    return prompt if len(prompt) <= MAX_SHOWN else f"{prompt[: MAX_SHOWN - 1]}…"


def words_warning(texts: Iterable[str], card: ModelCard) -> str:
    """One line about the words of some texts that the model does not know; "" for none.

    What a model with a table of things cannot draw, it does not know, although captions that it was
    trained on held the word.
    """
    things, known = read_things(card), known_words(card)
    if things is None:
        unknown = unknown_words(texts, known)
        return unknown_warning(card, unknown) if unknown else ""
    words: dict[str, list[str]] = {}
    for text in dict.fromkeys(texts):
        reduced = reduce_prompt(text, things)
        for said, near in reduced.replaced:
            if not set(words_of(said)) <= known:
                words.setdefault(said, [near])
        for said in reduced.left_out:
            words.setdefault(said, [])
    return unknown_warning(card, words) if words else ""
