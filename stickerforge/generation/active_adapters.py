"""The adapters that a call uses: found by name or path, checked, attached to the model."""

import contextlib
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stickerforge.adapters import lora_format, store
from stickerforge.errors import InputError

if TYPE_CHECKING:
    from stickerforge.adapters.lora_weights import AdapterWeights
    from stickerforge.models.families.base import DiffusionModel


@dataclass(frozen=True)
class ActiveAdapter:
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

    def content(self) -> "AdapterWeights":
        """Its tensors.

        Raises:
            InputError: they are no longer those that were found at first.
        """
        path = Path(self.source) if self.base is None else store.find(self.source).path
        try:
            intact = hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256
        except OSError as error:
            raise InputError(
                f"cannot read {path}: {error.strerror}", "make or fetch the adapter again"
            ) from None
        if not intact:
            raise InputError(
                f"{path} is damaged, or changed just now: its sha256 is not the recorded one",
                "make or fetch the adapter again",
            )
        return lora_format.read(path)


def resolve_adapter(source: str, scale: float = 1.0) -> ActiveAdapter:
    """An adapter by its name, or a LoRA file by its path.

    Raises:
        InputError: there is neither, or it cannot be read.
    """
    if "/" in source or source.endswith(".safetensors"):
        path = Path(source).expanduser()
        content = lora_format.read(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        known = tokens_by_digest(digest) if content.tokens else {}
        words = tuple(known.get(token, token[1:-1]) for token in content.tokens)
        return ActiveAdapter(str(path), scale, digest, None, tuple(content.tokens), words, "")
    adapter = store.find(store.validate_name(source))
    return ActiveAdapter(
        adapter.name,
        scale,
        adapter.sha256,
        adapter.base,
        tuple(adapter.tokens),
        tuple(adapter.tokens.values()),
        adapter.phrase,
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


def attach_adapters(family: "DiffusionModel", uses: Iterable[ActiveAdapter]) -> dict[str, str]:
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
