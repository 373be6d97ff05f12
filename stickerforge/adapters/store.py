"""Where adapters are kept: one folder each under STICKERFORGE_HOME, described by adapter.json.

An adapter is there when its adapter.json is; that names the files of tensors by hash, so replacing
one adapter with another is one rename, whatever else of it is written or removed before or after.

FORMAT 1 had one file, in a form that only stickerforge reads; FORMAT 2 has a LoRA and its tokens in
files that other programs take, and a README.md that says how.

A newer version that adds a kind of adapter, or a field that may be ignored, keeps FORMAT: this one
refuses the kind by name and ignores the field. One that changes what known fields mean raises it,
and is refused.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stickerforge.adapters.description import DescriptionHead, check_description
from stickerforge.adapters.header import hashed_name
from stickerforge.adapters.kinds import KINDS
from stickerforge.adapters.lora_export import describe
from stickerforge.adapters.lora_format import PART_OF
from stickerforge.adapters.weight_files import (
    digest,
    name_files,
    read_files,
    remove,
    write_files,
    write_folder,
)
from stickerforge.config.description import read_description
from stickerforge.errors import InputError, nearest
from stickerforge.models.long_prompts import LongPrompts
from stickerforge.runtime.bounded_files import check_inside, read_text
from stickerforge.runtime.files import disk_fault, home, locked, write_whole
from stickerforge.runtime.json_text import parse_json

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
CARD = "adapter.json"
README = "README.md"
FORMAT = 2
MAX_CARD_BYTES = 50_000_000  # every caption and the hash of every picture are in it


@dataclass(frozen=True)
class Base:
    """The model that an adapter was made for."""

    name: str  # as `--model` takes it
    version: str
    fingerprint: str

    @property
    def title(self) -> str:
        """`sticker-mini@2.1`, or the plain name of a model without versions."""
        return f"{self.name}@{self.version}" if self.version else self.name


@dataclass(frozen=True)
class Adapter:
    """What is known of an adapter without its tensors.

    Args:
        kind: what it is for; a key of `KINDS`, which says how it is read.
        files: name of every file of tensors -> its sha256 in hexadecimal.
        sha256: of the weights as one file, `AdapterKind.encode`, however they are kept.
        tokens: placeholder -> the class words it stands for: {"<dog>": "dog"}.
        phrase: what `--style NAME` appends to a prompt; "" where the adapter is no style.
        made: how it was made: objective, steps, beta, captions, seed, versions and so on.
        parents: of a merge: name, weight and sha256 of each.
        long_prompts: how it was trained to read prompts; None where the model's own way will do.
        encoder: of a decoder: the digest of the encoder whose latents it decodes; else "".
    """

    name: str
    kind: str
    base: Base
    files: dict[str, str]
    sha256: str
    tokens: dict[str, str] = field(default_factory=dict)
    phrase: str = ""
    made: dict[str, Any] = field(default_factory=dict)
    parents: list[dict[str, Any]] = field(default_factory=list)
    long_prompts: LongPrompts | None = None
    encoder: str = ""

    @property
    def paths(self) -> list[Path]:
        """The files of tensors, the LoRA first."""
        return [folder(self.name) / file for file in self.files]

    @property
    def path(self) -> Path:
        """The first of them."""
        return self.paths[0]

    def locations(self) -> dict[str, Any]:
        """Where the files are, for the JSON."""
        return {"path": str(self.path), "files": [str(path) for path in self.paths]}


def folder(name: str) -> Path:
    """Where an adapter of this name is kept."""
    return home() / "adapters" / name


def validate_name(name: str) -> str:
    """The name, if it can be one.

    Raises:
        InputError: it cannot; one that can is proposed.
    """
    if NAME.fullmatch(name):
        return name
    proposal = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64].strip("-")
    hint = f"for example {proposal!r}" if proposal else "give another one, for example cat"
    raise InputError(f"{name!r} cannot be a name: only a-z, 0-9 and dashes", hint)


def exists(name: str) -> bool:
    """Whether there is a finished adapter of this name."""
    return (folder(name) / CARD).exists()


def names() -> list[str]:
    """Every adapter there is."""
    return sorted(path.parent.name for path in (home() / "adapters").glob(f"*/{CARD}"))


def parse_weight(text: str) -> tuple[str, float]:
    """NAME[:WEIGHT].

    Raises:
        InputError: the weight is no number that can be used.
    """
    name, colon, number = text.rpartition(":")
    if not colon:
        return text, 1.0
    try:
        weight = float(number)
    except ValueError:
        raise InputError(f"{text!r}: {number!r} is no weight", "give NAME or NAME:0.8") from None
    if not -10 <= weight <= 10:  # also refuses what is not a number
        raise InputError(f"{text!r}: the weight is out of range", "give -10 to 10")
    return name, weight


def find(name: str) -> Adapter:
    """The adapter of this name; reads its description.

    Raises:
        InputError: there is none, the nearest is named; or its description is broken, or for a
            newer stickerforge.
    """
    path = folder(name) / CARD
    try:
        check_inside(path, folder(name))
        return parse_description(path, name, parse_json(read_text(path, MAX_CARD_BYTES)))
    except (FileNotFoundError, NotADirectoryError):
        others = names()
        raise InputError(
            f"there is no adapter {name!r}",
            nearest(name, others) if others else "make one with customize",
        ) from None
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}", "check its permissions and the disk"
        ) from None
    except ValueError as error:
        raise InputError(
            f"{path} is broken: {str(error)[:160]}",
            f"`stickerforge adapters remove {name}`, then make it again",
        ) from None


def parse_description(path: Path, name: str, description: dict[str, Any]) -> Adapter:
    """The adapter that a description is of; fields that this version does not know are ignored.

    Raises:
        InputError: it is for a newer stickerforge.
        ValueError: it is broken.
    """
    head = read_description(DescriptionHead, description)
    if head.format > FORMAT:
        raise InputError(f"{path} was written by a newer stickerforge", "update stickerforge")
    if head.kind not in KINDS:
        raise InputError(
            f"{name!r} is an adapter of kind {head.kind!r}, which this stickerforge does not know",
            "update stickerforge",
        )
    check_description(description, of_one_file=head.format == 1)
    if head.format == 1:
        description |= {"files": {description["file"]: description["sha256"]}}
    base = known_fields(Base, description["base"])
    base["version"] = str(base["version"] or "")  # a whole number in older ones
    fields = known_fields(Adapter, description) | {"name": name, "base": Base(**base)}
    if fields.get("long_prompts"):
        fields["long_prompts"] = read_description(LongPrompts, fields["long_prompts"])
    return Adapter(**fields)


def known_fields(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    """The values that a dataclass has fields for."""
    names = kind.__annotations__
    return {name: value for name, value in values.items() if name in names}


def read_weights(adapter: Adapter) -> Any:
    """The tensors of an adapter, in the form of its kind; every file is read once.

    Raises:
        InputError: one is missing, or not what was written.
    """
    hint = f"make the adapter {adapter.name!r} again"
    files = read_files(adapter.paths, adapter.files.values(), hint)
    return KINDS[adapter.kind].read(*files)


def save(
    name: str,
    weights: Any,
    *,
    kind: str,
    base: Base,
    tokens: dict[str, str],
    phrase: str,
    made: dict[str, Any],
    parents: list[dict[str, Any]] | None = None,
    long_prompts: LongPrompts | None = None,
    encoder: str = "",
    folders: Mapping[str, Mapping[str, bytes]] | None = None,
    same: Adapter | None = None,
) -> Adapter:
    """Write an adapter; it is there complete or not at all, and replaces one of the same name.

    Args:
        weights: in the form of the kind.
        kind: a key of `KINDS`.
        folders: {beginning of a folder's name beside the files: its files}; like them, those of
            other weights have other names. Others that a kind writes are removed.
        same: the adapter as it is kept now, where it is only to be kept otherwise: what lies beside
            its files stays, and nothing is written if it is another one by then.

    Raises:
        EnvironmentFault: the disk is full, read-only, or did not keep what was written; what was
            there before still is.
        InputError: the weights hold what no adapter may.
    """
    maker, place = KINDS[kind], folder(name)
    content = maker.encode(weights)
    identity = digest(content)
    about = describe(name, base.title, tokens, phrase, made, parents or [])
    files = name_files(maker.encode_files(weights, about | {PART_OF: identity}))
    digests = {file: digest(tensors) for file, tensors in files.items()}
    adapter = Adapter(
        name,
        kind,
        base,
        digests,
        identity,
        tokens,
        phrase,
        made,
        parents or [],
        long_prompts,
        encoder,
    )
    card = {"format": FORMAT} | asdict(adapter)
    for field_name in ("long_prompts", "encoder"):
        if not card[field_name]:
            del card[field_name]
    readme = maker.readme(weights, adapter)
    with locked(lock_file(name), wait=True):
        if same and find(name) != same:
            return same
        try:
            if place.is_symlink():  # what it leads to is not ours to change
                place.unlink()
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_fault(error, place) from error
        write_files(place, files, maker, content)
        beside = [hashed_name(start, identity) for start in folders or {}]
        for folder_name, contents in zip(beside, (folders or {}).values(), strict=True):
            write_folder(place / folder_name, contents)
        write_whole(place / CARD, (json.dumps(card, indent=1) + "\n").encode())
        write_whole(place / README, readme.encode())
        # What belonged to an adapter that was here before.
        own = (*files, *beside, CARD, README)
        remove([path for path in (same.paths if same else place.iterdir()) if path.name not in own])
    return adapter


def lock_file(name: str) -> Path:
    """The file that two processes changing one adapter take turns with."""
    return home() / "adapters" / f".{name}.lock"
