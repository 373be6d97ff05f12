"""Requests: prompt rows with their styles, and the adapters that each of them uses."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stickerforge.adapters import store
from stickerforge.config.style_presets import StylePreset, style_presets
from stickerforge.data.captions import PLACEHOLDER, insert_placeholder, mentions
from stickerforge.data.prompts import PromptRow, check_characters, check_prompt, read_prompts
from stickerforge.errors import InputError, nearest
from stickerforge.generation.active_adapters import (
    ActiveAdapter,
    AdapterLookup,
    check_tokens,
    drawing_adapters,
)
from stickerforge.generation.reduced_prompt import ReducedPrompt


@dataclass(frozen=True)
class Request:
    """A prompt row with everything that its words bring in.

    Args:
        text: the prompt as the model will read it, before a preset's words.
        negative: what to avoid, as the user wrote it.
        style: of the row, else of the call.
        preset: the style preset, or None.
        adapters: those of the call, then those of the row's style and placeholders.
        reduced: the prompt in what the model can draw; None where it is kept as it stands.
            Without a text nothing of it can be drawn, and no image is made.
    """

    row: PromptRow
    text: str
    negative: str
    style: str
    preset: StylePreset | None
    adapters: tuple[ActiveAdapter, ...]
    reduced: ReducedPrompt | None = None


def read_rows(
    prompts: Sequence[str], file: str, negative: str, *, wordless: bool = False
) -> list[PromptRow]:
    """The prompts of the command line, then those of the prompt file.

    Args:
        file: path of a prompt file; "" for none.
        wordless: whether no prompt is needed, as pictures say what to draw.

    Raises:
        InputError: there are none, or one is not a prompt.
    """
    for number, prompt in enumerate(prompts, 1):
        check_prompt(prompt, f"prompt {number}" if len(prompts) > 1 else "command line")
    check_characters(negative, "the negative prompt")
    rows = [PromptRow(prompt) for prompt in prompts]
    if file:
        rows += read_prompts(Path(file), styles=[*style_presets(), *store.names()])
    if not rows and wordless:
        return [PromptRow("")]
    if not rows:
        raise InputError(
            "no prompt given", 'say what to draw, for example stickerforge generate "cat astronaut"'
        )
    return rows


def build_requests(
    rows: Sequence[PromptRow],
    *,
    adapters: Sequence[str] = (),
    subjects: Sequence[str] = (),
    style: str = "",
    negative: str = "",
) -> list[Request]:
    """Every row with its adapters.

    Args:
        adapters: NAME[:SCALE] or FILE[:SCALE], in use for every row.
        subjects: names of adapters whose class word in a prompt becomes their placeholder.
        style, negative: of rows that have none.

    Raises:
        InputError: nobody knows an adapter, a style or a placeholder, or two adapters hold one
            token.
    """
    lookup = AdapterLookup()
    common = find_common(adapters, subjects, lookup)
    requests = [
        build_request(
            row, row.style or style, row.negative or negative, common, tuple(subjects), lookup
        )
        for row in rows
    ]
    check_tokens(adapters_of(requests))
    return requests


def adapters_of(requests: Sequence[Request]) -> list[ActiveAdapter]:
    """Every adapter that a request uses, once."""
    by_source = {adapter.source: adapter for request in requests for adapter in request.adapters}
    return list(by_source.values())


def find_common(
    adapters: Sequence[str], subjects: Sequence[str], lookup: AdapterLookup
) -> dict[str, ActiveAdapter]:
    """{source: adapter} of those that the call itself names.

    Raises:
        InputError: one is unknown, is named twice, or is no subject.
    """
    common: dict[str, ActiveAdapter] = {}
    for text in adapters:
        source, scale = (text, 1.0) if Path(text).exists() else store.parse_weight(text)
        adapter = lookup.find(source, scale)
        if adapter.source in common:
            raise InputError(
                f"--adapter names {adapter.source} twice", "give one scale, for example NAME:0.8"
            )
        common[adapter.source] = adapter
    for name in subjects:
        if name not in common:
            common[name] = lookup.find(name)
        if not common[name].tokens:
            raise InputError(
                f"the adapter {name!r} is no subject",
                f"use --style {name}" if common[name].phrase else f"use --adapter {name}",
            )
    return common


def build_request(
    row: PromptRow,
    style: str,
    negative: str,
    common: dict[str, ActiveAdapter],
    subjects: tuple[str, ...],
    lookup: AdapterLookup,
) -> Request:
    """One row with its adapters."""
    adapters = dict(common)
    text = " ".join(row.prompt.split())
    for name in subjects:
        text = mark_subject(text, common[name])
    preset = style_presets().get(style)
    style_adapter = find_style(style, preset, common, lookup)
    if style_adapter is not None:
        adapters[style] = style_adapter
    for token in dict.fromkeys(PLACEHOLDER.findall(f"{text} {negative}")):
        if not any(token in adapter.tokens for adapter in adapters.values()):
            adapters[token[1:-1]] = placeholder_owner(token, lookup)
    if style_adapter is not None:
        text = f"{text}, {style_adapter.phrase}" if text else style_adapter.phrase
    return Request(row, text, negative, style, preset, tuple(adapters.values()))


def find_style(
    style: str,
    preset: StylePreset | None,
    common: dict[str, ActiveAdapter],
    lookup: AdapterLookup,
) -> ActiveAdapter | None:
    """The style adapter of this name; None where the style is a preset alone, or "".

    Raises:
        InputError: it is neither a preset nor a style adapter.
    """
    if not style:
        return None
    if store.NAME.fullmatch(style) and store.exists(style):
        adapter = common.get(style) or lookup.find(style)
        if adapter.phrase:
            return adapter
        if preset is None:
            raise InputError(
                f"the adapter {style!r} is no style",
                f"use --subject {style}" if adapter.tokens else f"use --adapter {style}",
            )
    elif preset is None:
        raise InputError(f"unknown style {style!r}", nearest(style, style_names(lookup)))
    return None


def style_names(lookup: AdapterLookup) -> list[str]:
    """Every preset, and every adapter that is a style."""
    return [*style_presets(), *(own.name for own in lookup.installed() if own.phrase)]


def mark_subject(text: str, adapter: ActiveAdapter) -> str:
    """The prompt with the subject's class word replaced by its placeholder.

    Raises:
        InputError: neither occurs in it.
    """
    for token, words in zip(adapter.tokens, adapter.class_words, strict=True):
        if token in text:
            continue
        if not mentions(text, words):
            raise InputError(
                f"{text[:60]!r} mentions neither {token} nor {words!r}",
                f'write for example "a {token} {text[:30]}"',
            )
        text = insert_placeholder(text, token, words)
    return text


def placeholder_owner(token: str, lookup: AdapterLookup) -> ActiveAdapter:
    """The adapter that a placeholder is named after.

    Raises:
        InputError: there is none; adapters that hold the token, or have a similar name, are named.
    """
    name = token[1:-1]
    if (
        store.NAME.fullmatch(name)
        and store.exists(name)
        and token in lookup.description(name).tokens
    ):
        return lookup.find(name)
    installed = list(lookup.installed())
    holders = [adapter.name for adapter in installed if token in adapter.tokens]
    names = [other[1:-1] for adapter in installed for other in adapter.tokens]
    if holders:
        more = f" (or {', '.join(holders[1:4])})" if holders[1:] else ""
        hint = f"add --adapter {holders[0]}{more}"
    elif own := next((adapter for adapter in installed if adapter.name == name), None):
        flag = "--style" if own.phrase else "--adapter"
        hint = f"{name} is no subject: use {flag} {name}, and leave {token} out of the prompt"
    elif close := difflib.get_close_matches(name, names, n=1, cutoff=0.5):
        hint = f"did you mean <{close[0]}>?"
    else:
        hint = f"teach it with stickerforge customize PICTURES --subject {name}"
    raise InputError(f"no adapter owns {token}", hint)


def default_model(requests: Sequence[Request]) -> str:
    """The model of a call that names none: the base of its adapters, else sticker-mini.

    Decoders serve more than one model; theirs is taken where there is no other adapter.

    Raises:
        InputError: the adapters were made for different models.
    """
    adapters = adapters_of(requests)
    bases = {
        adapter.base.fingerprint: (adapter.source, adapter.base)
        for adapter in drawing_adapters(adapters) or adapters
        if adapter.base
    }
    if len(bases) > 1:
        listed = ", ".join(f"{source} for {base.title}" for source, base in bases.values())
        raise InputError(
            f"the adapters were made for different models: {listed}", "use adapters of one base"
        )
    return next((base.name for _, base in bases.values()), "sticker-mini")
