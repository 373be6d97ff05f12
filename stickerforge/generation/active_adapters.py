"""The adapters that a call uses: found by name or path, checked, attached to the model."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stickerforge.adapters import store
from stickerforge.adapters.header import read_file
from stickerforge.adapters.kinds import KINDS, LORA, AdapterKind, Attached, kind_of
from stickerforge.adapters.lora_format import token_names
from stickerforge.errors import InputError

if TYPE_CHECKING:
    from stickerforge.models.families.base import DiffusionModel


@dataclass(frozen=True)
class ActiveAdapter:
    """An adapter as a call uses it.

    Args:
        source: its name, or the path of a LoRA file.
        base: what it was made for; None for a file, which does not say.
        installed: its description; None for a file, whose `weights` are read at once.
        words: what each token stands for; of a file that is no installed adapter's the token's own name.
    """

    source: str
    scale: float
    sha256: str
    base: store.Base | None
    tokens: tuple[str, ...]
    words: tuple[str, ...]
    phrase: str
    installed: store.Adapter | None = field(default=None, compare=False, repr=False)
    kind: AdapterKind = field(default=LORA, compare=False, repr=False)
    weights: Any = field(default=None, compare=False, repr=False)

    def described(self) -> dict[str, object]:
        """What a recipe keeps of it; of a file its name, since folders tell of their owner."""
        source = Path(self.source).name if self.base is None else self.source
        return {"adapter": source, "scale": self.scale, "sha256": self.sha256[:16]}


def resolve_adapter(source: str, scale: float = 1.0) -> ActiveAdapter:
    """An adapter by its name, or a LoRA file by its path.

    Raises:
        InputError: there is neither, or it cannot be read.
    """
    if "/" in source or source.endswith(".safetensors"):
        path = Path(source).expanduser()
        file = read_file(path)
        kind = kind_of(file)
        tokens = token_names(file.header)
        known = tokens_by_digest(file.sha256) if tokens else {}
        words = tuple(known.get(token, token[1:-1]) for token in tokens)
        return ActiveAdapter(
            str(path),
            scale,
            file.sha256,
            None,
            tokens,
            words,
            "",
            kind=kind,
            weights=kind.read(file),
        )
    adapter = store.find(store.validate_name(source))
    return ActiveAdapter(
        adapter.name,
        scale,
        adapter.sha256,
        adapter.base,
        tuple(adapter.tokens),
        tuple(adapter.tokens.values()),
        adapter.phrase,
        installed=adapter,
        kind=KINDS[adapter.kind],
    )


def tokens_by_digest(digest: str) -> dict[str, str]:
    """{placeholder: class words} of the installed adapter that has this very file; empty where none has."""
    for name in store.names():
        with contextlib.suppress(InputError):  # a broken adapter explains nothing
            if (adapter := store.find(name)).sha256 == digest:
                return adapter.tokens
    return {}


def check_tokens(uses: Iterable[ActiveAdapter]) -> None:
    """Make sure that no token means two things.

    Raises:
        InputError: two adapters hold it.
    """
    owners: dict[str, str] = {}
    for used in uses:
        for token in used.tokens:
            if token in owners:
                raise InputError(
                    f"{owners[token]} and {used.source} both hold {token}", "use one of them"
                )
            owners[token] = used.source


def attach_adapters(model: "DiffusionModel", uses: Iterable[ActiveAdapter]) -> dict[str, Attached]:
    """Put adapters on a model, switched off; returns them by source.

    Raises:
        InputError: one is damaged, or does not fit the model.
    """
    attached: dict[str, Attached] = {}
    for used in uses:
        kind, weights = used.kind, used.weights
        if used.installed is not None:
            weights = store.read_weights(used.installed)
        name = f"adapter{len(attached)}"
        attached[used.source] = kind.attach(model, name, weights, used.source)
    return attached


def activate(attached: Mapping[str, Attached], uses: Iterable[ActiveAdapter]) -> None:
    """Switch on exactly these adapters, each with its scale."""
    for adapter in attached.values():
        adapter.deactivate()
    for used in uses:
        attached[used.source].activate(used.scale)
