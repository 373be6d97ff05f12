"""Which adapters each prompt uses: those named by flag, and the owners of its placeholders."""

import contextlib
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stickerforge.adapters import store
from stickerforge.adapters.merging import parse_weight
from stickerforge.config.schema import GenerateConfig
from stickerforge.config.style_presets import StylePreset, style_presets
from stickerforge.data.captions import PLACEHOLDER, insert_placeholder, mentions
from stickerforge.data.prompts import PromptRow, check_characters, check_prompt, read_prompts
from stickerforge.errors import InputError, nearest
from stickerforge.generation.active_adapters import ActiveAdapter, check_tokens, resolve_adapter


@dataclass(frozen=True)
class Request:
    """A prompt row with everything that its words bring in.

    Args:
        text: the prompt as the model will be told it, before a preset's words.
        preset: the style preset, or None.
    """

    row: PromptRow
    text: str
    style: str
    preset: StylePreset | None
    uses: tuple[ActiveAdapter, ...]


def build_requests(config: GenerateConfig, rows: list[PromptRow]) -> list[Request]:
    """Every row with its adapters.

    Raises:
        InputError: an adapter, a style or a placeholder that nobody knows, or two adapters that hold one token.
    """
    flagged: dict[str, ActiveAdapter] = {}
    for text in config.adapter:
        used = resolve_adapter(*parse_weight(text) if not Path(text).exists() else (text, 1.0))
        if used.source in flagged:
            raise InputError(
                f"--adapter names {used.source} twice", "give one scale, for example NAME:0.8"
            )
        flagged[used.source] = used
    for name in config.subject:
        flagged.setdefault(name, resolve_adapter(name))
        if not flagged[name].tokens:
            raise InputError(
                f"the adapter {name!r} is no subject",
                f"use --style {name}" if flagged[name].phrase else "use --adapter",
            )
    made = [build_request(config, row, flagged) for row in rows]
    check_tokens({used.source: used for one in made for used in one.uses}.values())
    return made


def build_request(
    config: GenerateConfig, row: PromptRow, flagged: Mapping[str, ActiveAdapter]
) -> Request:
    """One row with its adapters."""
    uses = dict(flagged)
    text = " ".join(row.prompt.split())
    for name in config.subject:
        text = mark_subject(text, flagged[name])
    chosen = row.style or config.style
    preset, phrase = resolve_style(chosen, uses)
    avoided = row.negative or config.negative
    for token in dict.fromkeys(PLACEHOLDER.findall(f"{text} {avoided}")):
        if not any(token in used.tokens for used in uses.values()):
            uses[token[1:-1]] = placeholder_owner(token)
    return Request(
        row, f"{text}, {phrase}" if phrase else text, chosen, preset, tuple(uses.values())
    )


def resolve_style(chosen: str, uses: dict[str, ActiveAdapter]) -> tuple[StylePreset | None, str]:
    """(preset, phrase) of a style, which may be a preset, an adapter, or both; the adapter joins `uses`.

    Raises:
        InputError: it is neither.
    """
    if not chosen:
        return None, ""
    preset, phrase = style_presets().get(chosen), ""
    if store.NAME.fullmatch(chosen) and store.exists(chosen):
        used = uses.get(chosen) or resolve_adapter(chosen)
        phrase = used.phrase
        if phrase:
            uses[chosen] = used
        elif preset is None:
            raise InputError(f"the adapter {chosen!r} is no style", f"use --subject {chosen}")
    if preset is None and not phrase:
        raise InputError(
            f"unknown style {chosen!r}", nearest(chosen, [*style_presets(), *store.names()])
        )
    return preset, phrase


def mark_subject(text: str, used: ActiveAdapter) -> str:
    """The prompt with the subject's class word as its placeholder.

    Raises:
        InputError: neither occurs in it.
    """
    for token, words in zip(used.tokens, used.words, strict=True):
        if token in text:
            continue
        if not mentions(text, words):
            raise InputError(
                f"{text[:60]!r} mentions neither {token} nor {words!r}",
                f'write for example "a {token} {text[:30]}"',
            )
        text = insert_placeholder(text, token, words)
    return text


def placeholder_owner(token: str) -> ActiveAdapter:
    """The adapter that a placeholder is named after.

    Raises:
        InputError: there is none; adapters that hold the token, or have a similar name, are named.
    """
    name = token[1:-1]
    if store.NAME.fullmatch(name) and store.exists(name) and token in store.find(name).tokens:
        return resolve_adapter(name)
    held = {}
    for other in store.names():
        with contextlib.suppress(
            InputError
        ):  # a broken adapter owns nothing, and is not what was asked about
            held[other] = store.find(other).tokens
    holders = [other for other, tokens in held.items() if token in tokens]
    if holders:
        hint = f"add --adapter {holders[0]}" + (
            f" (or {', '.join(holders[1:4])})" if holders[1:] else ""
        )
    elif close := difflib.get_close_matches(
        name, [known[1:-1] for tokens in held.values() for known in tokens], n=1, cutoff=0.5
    ):
        hint = f"did you mean <{close[0]}>?"
    else:
        hint = f"teach it with stickerforge customize PICTURES --subject {name}"
    raise InputError(f"no adapter owns {token}", hint)


def default_model(config: GenerateConfig, made: list[Request]) -> str:
    """The model of the call: the one that is named, else the base of its adapters, else sticker-mini.

    Raises:
        InputError: the adapters were made for different models.
    """
    bases = {used.base.fingerprint: used for one in made for used in one.uses if used.base}
    if len(bases) > 1 and not config.model:
        said = ", ".join(
            f"{used.source} for {used.base.title}" for used in bases.values() if used.base
        )
        raise InputError(
            f"the adapters were made for different models: {said}", "use adapters of one base"
        )
    return (
        config.model
        or next((used.base.name for used in bases.values() if used.base), "")
        or "sticker-mini"
    )


def prompt_rows(config: GenerateConfig) -> list[PromptRow]:
    """The prompts of the call: those on the command line, then those of the file.

    Raises:
        InputError: there are none, or one is not a prompt.
    """
    for number, prompt in enumerate(config.prompt, 1):
        check_prompt(prompt, f"prompt {number}" if len(config.prompt) > 1 else "command line")
    check_characters(config.negative, "the negative prompt")
    rows = [PromptRow(prompt) for prompt in config.prompt]
    if config.prompts:
        styles = [*style_presets(), *store.names()]
        rows += read_prompts(Path(config.prompts), styles=styles)
    if not rows:
        raise InputError(
            "no prompt given", 'say what to draw, for example stickerforge generate "cat astronaut"'
        )
    return rows
