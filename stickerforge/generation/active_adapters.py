"""The adapters of a call: looked up by name or path, checked, attached to the model."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stickerforge.adapters import store
from stickerforge.adapters.kinds import (
    DECODER,
    IMAGE,
    KINDS,
    LORA,
    MIXTURE,
    AdapterKind,
    Attached,
    kind_of,
)
from stickerforge.adapters.lora_format import PART_OF, token_names
from stickerforge.adapters.sources import looks_like_adapter, read_source, strength_remark
from stickerforge.adapters.upgrade import read_upgraded
from stickerforge.adapters.weight_files import digest
from stickerforge.config.user_paths import user_path
from stickerforge.errors import InputError
from stickerforge.models.card import ModelCard
from stickerforge.models.long_prompts import LongPrompts, shared_rule

if TYPE_CHECKING:
    from stickerforge.models.families.base import DiffusionModel


@dataclass(frozen=True)
class ActiveAdapter:
    """An adapter as a call uses it.

    Args:
        source: its name, or the path of a LoRA file or folder.
        scale: of its change to the model; 1 applies it as it was trained.
        sha256: of its one file, or of its weights as one file; in hexadecimal.
        base: the model that it was made for; None for a path, which does not say.
        tokens: its placeholders, such as "<dog>".
        class_words: what each token stands for; the token's own name where nobody says.
        phrase: what asks for its style; "" where it is none.
        describes_tokens: whether `class_words` are known and not guessed from the tokens.
        kind: how its file is read and put on a model.
        long_prompts: how prompts are read by what it was trained with; None as the model does it.
        installed: where it is kept, for one of the store.
        weights: the tensors in the form of its kind, where they have been read already.
        remark: what its user is to know of its file; "" for nothing.
    """

    source: str
    scale: float
    sha256: str
    base: store.Base | None = None
    tokens: tuple[str, ...] = ()
    class_words: tuple[str, ...] = ()
    phrase: str = ""
    describes_tokens: bool = True
    kind: AdapterKind = field(default=LORA, compare=False, repr=False)
    long_prompts: LongPrompts | None = field(default=None, compare=False, repr=False)
    installed: store.Adapter | None = field(default=None, compare=False, repr=False)
    weights: Any = field(default=None, compare=False, repr=False)
    remark: str = field(default="", compare=False, repr=False)

    def params(self) -> dict[str, Any]:
        """What an image keeps of it; of a file the name, since folders tell of their owner."""
        source = Path(self.source).name if self.base is None else self.source
        return {"adapter": source, "scale": self.scale, "sha256": self.sha256[:16]}

    def read_weights(self) -> Any:
        """The tensors in the form of its kind.

        Raises:
            InputError: the file cannot be read, or is not the one that the store describes.
        """
        return read_upgraded(self.installed) if self.installed else self.weights

    @property
    def is_decoder(self) -> bool:
        """Whether it changes nothing but how latents become pixels: those get alpha."""
        return self.kind is DECODER

    @property
    def is_image(self) -> bool:
        """Whether it reads pictures: then it changes nothing where there are none."""
        return self.kind is IMAGE

    @property
    def is_mixture(self) -> bool:
        """Whether it weighs several LoRAs by the prompt and the timestep."""
        return self.kind is MIXTURE

    @property
    def encoder(self) -> str:
        """Of a decoder: the digest of the encoder whose latents it decodes."""
        return self.installed.encoder if self.installed else str(self.weights.encoder)


class AdapterLookup:
    """Looks up adapters; each description, and each file at a scale, is read once a call."""

    def __init__(self) -> None:
        self.descriptions: dict[str, store.Adapter] = {}
        self.active: dict[tuple[str, float], ActiveAdapter] = {}

    def find(self, source: str, scale: float = 1.0) -> ActiveAdapter:
        """An adapter by its name, or a LoRA file or folder by its path.

        Raises:
            InputError: there is neither, or it cannot be read.
        """
        key = source, scale
        if key not in self.active:
            find = self.read_path if is_path(source) else self.find_installed
            self.active[key] = find(source, scale)
        return self.active[key]

    def read_path(self, source: str, scale: float) -> ActiveAdapter:
        """A LoRA file with what belongs to it, or a folder that holds them."""
        path = Path(user_path(source))
        files = read_source(path)
        kind = kind_of(files[0])
        weights, tokens = kind.read(*files), token_names(*files)
        sha256 = files[0].sha256 if len(files) == 1 else digest(kind.encode(weights))
        words = self.class_words_of(files[0].metadata.get(PART_OF, sha256)) if tokens else {}
        return ActiveAdapter(
            str(path),
            scale,
            sha256,
            tokens=tokens,
            class_words=tuple(words.get(token, token[1:-1]) for token in tokens),
            describes_tokens=bool(words) or not tokens,
            kind=kind,
            weights=weights,
            remark=strength_remark(files),
        )

    def find_installed(self, name: str, scale: float) -> ActiveAdapter:
        """An adapter of the store, whose tensors are read later."""
        adapter = self.description(store.validate_name(name))
        return ActiveAdapter(
            adapter.name,
            scale,
            adapter.sha256,
            adapter.base,
            tuple(adapter.tokens),
            tuple(adapter.tokens.values()),
            adapter.phrase,
            kind=KINDS[adapter.kind],
            long_prompts=adapter.long_prompts,
            installed=adapter,
        )

    def description(self, name: str) -> store.Adapter:
        """What the store says of an adapter.

        Raises:
            InputError: there is none of this name, or its description is broken.
        """
        if name not in self.descriptions:
            self.descriptions[name] = store.find(name)
        return self.descriptions[name]

    def installed(self) -> Iterator[store.Adapter]:
        """Every adapter of the store; one with a broken description is left out."""
        for name in store.names():
            try:
                adapter = self.description(name)
            except InputError:  # of no use here, and the call does not name it
                continue
            yield adapter

    def class_words_of(self, sha256: str) -> dict[str, str]:
        """{placeholder: class words} of the installed adapter that is the same, if any."""
        return next((a.tokens for a in self.installed() if a.sha256 == sha256), {})


def is_path(source: str) -> bool:
    """Whether an adapter is given by its path and not by the name of one that is installed.

    A folder here whose name could be an adapter's must look like one: there are folders of pictures
    that have such names.
    """
    if "/" in source or source.endswith(".safetensors"):
        return True
    if store.NAME.fullmatch(source) and store.exists(source):
        return False
    return looks_like_adapter(Path(user_path(source)))


def check_tokens(adapters: Iterable[ActiveAdapter]) -> None:
    """Make sure that no token means two things.

    Raises:
        InputError: two adapters hold it.
    """
    owners: dict[str, str] = {}
    for adapter in adapters:
        for token in adapter.tokens:
            if token in owners:
                raise InputError(
                    f"{owners[token]} and {adapter.source} both hold {token}", "use one of them"
                )
            owners[token] = adapter.source


def drawing_adapters(adapters: Iterable[ActiveAdapter]) -> tuple[ActiveAdapter, ...]:
    """Those that were taught what to draw: all but decoders and image adapters."""
    return tuple(own for own in adapters if not (own.is_decoder or own.is_image))


def long_prompts_of(adapters: Iterable[ActiveAdapter], card: ModelCard) -> LongPrompts:
    """How the model reads long prompts with these adapters: as they were trained, else its own way.

    Raises:
        InputError: two were trained in different ways.
    """
    rules = [(adapter.source, adapter.long_prompts) for adapter in adapters]
    return shared_rule(rules) or card.long_prompts


def attach_adapters(
    model: "DiffusionModel", adapters: Iterable[ActiveAdapter]
) -> dict[str, Attached]:
    """Put adapters on a model, switched off; returns them by source.

    Raises:
        InputError: one cannot be read, or does not fit the model.
    """
    attached: dict[str, Attached] = {}
    for adapter in adapters:
        name, weights = f"adapter{len(attached)}", adapter.read_weights()
        attached[adapter.source] = adapter.kind.attach(model, name, weights, adapter.source)
    return attached


def activate(attached: Mapping[str, Attached], adapters: Iterable[ActiveAdapter]) -> None:
    """Switch on exactly these adapters, each with its scale."""
    for other in attached.values():
        other.deactivate()
    for adapter in adapters:
        attached[adapter.source].activate(adapter.scale)
