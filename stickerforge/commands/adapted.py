"""Which adapters each prompt uses: those named by flag, and the owners of its placeholders."""

import contextlib
import difflib
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stickerforge.adapters import files, store
from stickerforge.commands.merge import parsed
from stickerforge.config.load import nearest
from stickerforge.config.schema import GenerateConfig
from stickerforge.config.styles import Style, styles
from stickerforge.data.captions import PLACEHOLDER, mentions, with_placeholder
from stickerforge.data.prompts import PromptRow
from stickerforge.errors import InputError
from stickerforge.models.catalog import Card

if TYPE_CHECKING:
    from stickerforge.adapters.lora import Taught
    from stickerforge.models.family import Family


@dataclass(frozen=True)
class InUse:
    """An adapter as a call uses it.

    Args:
        source: its name, or the path of a LoRA file.
        base: what it was made for; None for a file, which does not say.
        words: what each token stands for; of a file that is no installed adapter's the token's own name.
    """

    source: str
    scale: float
    sha256: str
    base: store.Base | None
    tokens: tuple[str, ...]
    words: tuple[str, ...]
    phrase: str

    def described(self) -> dict[str, object]:
        """What a recipe keeps of it; of a file its name, since folders tell of their owner."""
        source = Path(self.source).name if self.base is None else self.source
        return {"adapter": source, "scale": self.scale, "sha256": self.sha256[:16]}

    def content(self) -> "Taught":
        """Its tensors.

        Raises:
            InputError: they are no longer those that were found at first.
        """
        path = Path(self.source) if self.base is None else store.found(self.source).path
        try:
            intact = hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}", "make or fetch the adapter again") from None
        if not intact:
            raise InputError(
                f"{path} is damaged, or changed just now: its sha256 is not the recorded one", "make or fetch the adapter again"
            )
        return files.read(path)


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
    preset: Style | None
    uses: tuple[InUse, ...]


def in_use(source: str, scale: float = 1.0) -> InUse:
    """An adapter by its name, or a LoRA file by its path.

    Raises:
        InputError: there is neither, or it cannot be read.
    """
    if "/" in source or source.endswith(".safetensors"):
        path = Path(source).expanduser()
        content = files.read(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        known = tokens_of(digest) if content.tokens else {}
        words = tuple(known.get(token, token[1:-1]) for token in content.tokens)
        return InUse(str(path), scale, digest, None, tuple(content.tokens), words, "")
    adapter = store.found(store.checked_name(source))
    return InUse(adapter.name, scale, adapter.sha256, adapter.base, tuple(adapter.tokens), tuple(adapter.tokens.values()), adapter.phrase)


def tokens_of(digest: str) -> dict[str, str]:
    """{placeholder: class words} of the installed adapter that has this very file; empty where none has."""
    for name in store.names():
        with contextlib.suppress(InputError):  # a broken adapter explains nothing
            if (adapter := store.found(name)).sha256 == digest:
                return adapter.tokens
    return {}


def requests(config: GenerateConfig, rows: list[PromptRow]) -> list[Request]:
    """Every row with its adapters.

    Raises:
        InputError: an adapter, a style or a placeholder that nobody knows, or two adapters that hold one token.
    """
    flagged: dict[str, InUse] = {}
    for text in config.adapter:
        used = in_use(*parsed(text) if not Path(text).exists() else (text, 1.0))
        if used.source in flagged:
            raise InputError(f"--adapter names {used.source} twice", "give one scale, for example NAME:0.8")
        flagged[used.source] = used
    for name in config.subject:
        flagged.setdefault(name, in_use(name))
        if not flagged[name].tokens:
            raise InputError(f"the adapter {name!r} is no subject", f"use --style {name}" if flagged[name].phrase else "use --adapter")
    made = [request(config, row, flagged) for row in rows]
    check_tokens({used.source: used for one in made for used in one.uses}.values())
    return made


def request(config: GenerateConfig, row: PromptRow, flagged: Mapping[str, InUse]) -> Request:
    """One row with its adapters."""
    uses = dict(flagged)
    text = " ".join(row.prompt.split())
    for name in config.subject:
        text = with_subject(text, flagged[name])
    chosen = row.style or config.style
    preset, phrase = styled(chosen, uses)
    avoided = row.negative or config.negative
    for token in dict.fromkeys(PLACEHOLDER.findall(f"{text} {avoided}")):
        if not any(token in used.tokens for used in uses.values()):
            uses[token[1:-1]] = owner(token)
    return Request(row, f"{text}, {phrase}" if phrase else text, chosen, preset, tuple(uses.values()))


def styled(chosen: str, uses: dict[str, InUse]) -> tuple[Style | None, str]:
    """(preset, phrase) of a style, which may be a preset, an adapter, or both; the adapter joins `uses`.

    Raises:
        InputError: it is neither.
    """
    if not chosen:
        return None, ""
    preset, phrase = styles().get(chosen), ""
    if store.NAME.fullmatch(chosen) and store.exists(chosen):
        used = uses.get(chosen) or in_use(chosen)
        phrase = used.phrase
        if phrase:
            uses[chosen] = used
        elif preset is None:
            raise InputError(f"the adapter {chosen!r} is no style", f"use --subject {chosen}")
    if preset is None and not phrase:
        raise InputError(f"unknown style {chosen!r}", nearest(chosen, [*styles(), *store.names()]))
    return preset, phrase


def with_subject(text: str, used: InUse) -> str:
    """The prompt with the subject's class word as its placeholder.

    Raises:
        InputError: neither occurs in it.
    """
    for token, words in zip(used.tokens, used.words, strict=True):
        if token in text:
            continue
        if not mentions(text, words):
            raise InputError(f"{text[:60]!r} mentions neither {token} nor {words!r}", f'write for example "a {token} {text[:30]}"')
        text = with_placeholder(text, token, words)
    return text


def owner(token: str) -> InUse:
    """The adapter that a placeholder is named after.

    Raises:
        InputError: there is none; adapters that hold the token, or have a similar name, are named.
    """
    name = token[1:-1]
    if store.NAME.fullmatch(name) and store.exists(name) and token in store.found(name).tokens:
        return in_use(name)
    held = {}
    for other in store.names():
        with contextlib.suppress(InputError):  # a broken adapter owns nothing, and is not what was asked about
            held[other] = store.found(other).tokens
    holders = [other for other, tokens in held.items() if token in tokens]
    if holders:
        hint = f"add --adapter {holders[0]}" + (f" (or {', '.join(holders[1:4])})" if holders[1:] else "")
    elif close := difflib.get_close_matches(name, [known[1:-1] for tokens in held.values() for known in tokens], n=1, cutoff=0.5):
        hint = f"did you mean <{close[0]}>?"
    else:
        hint = f"teach it with stickerforge customize PICTURES --subject {name}"
    raise InputError(f"no adapter owns {token}", hint)


def check_tokens(uses: Iterable[InUse]) -> None:
    """Make sure that no token means two things.

    Raises:
        InputError: two adapters hold it.
    """
    owners: dict[str, str] = {}
    for used in uses:
        for token in used.tokens:
            if token in owners:
                raise InputError(f"{owners[token]} and {used.source} both hold {token}", "use one of them")
            owners[token] = used.source


def model_for(config: GenerateConfig, made: list[Request]) -> str:
    """The model of the call: the one that is named, else the base of its adapters, else sticker-mini.

    Raises:
        InputError: the adapters were made for different models.
    """
    bases = {used.base.fingerprint: used for one in made for used in one.uses if used.base}
    if len(bases) > 1 and not config.model:
        said = ", ".join(f"{used.source} for {used.base.title}" for used in bases.values() if used.base)
        raise InputError(f"the adapters were made for different models: {said}", "use adapters of one base")
    return config.model or next((used.base.name for used in bases.values() if used.base), "") or "sticker-mini"


def check_bases(made: list[Request], card: Card, mark: str) -> None:
    """Make sure that every adapter was made for this very model.

    Raises:
        InputError: one was not; how to make it again is said.
    """
    for used in {used.source: used for request in made for used in request.uses}.values():
        if not used.base or used.base.fingerprint == mark:
            continue
        if used.base.name not in (card.name, str(card.folder.resolve())):
            what = f"the adapter {used.source!r} was made for {used.base.title}, not for {card.title}"
            raise InputError(what, f"use --model {used.base.name}")
        now = card.title if card.title != used.base.title else f"{card.title} with other weights"
        again = store.folder(used.source) / "customize.toml"
        hint = f"teach it again: stickerforge customize --config {again} --force" if again.exists() else "make it again"
        raise InputError(f"the adapter {used.source!r} was made for {used.base.title}, and this is {now}", hint)


def attach(family: "Family", uses: Iterable[InUse]) -> dict[str, str]:
    """Put adapters and their tokens on a model; returns {source: its name within the network}.

    Raises:
        InputError: one does not fit the model.
    """
    names: dict[str, str] = {}
    for used in uses:
        content = used.content()
        names[used.source] = f"adapter{len(names)}"
        family.adapters.attach(names[used.source], content.lora, used.source)
        for placeholder, rows in content.tokens.items():
            family.add_token(placeholder, rows)
    family.adapters.use({})
    return names
