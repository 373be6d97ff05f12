"""Which adapters a merge has for parents, and whether they can be one. Imports no torch."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stickerforge.adapters import store
from stickerforge.adapters.kinds import KINDS, LORA
from stickerforge.errors import InputError

RENAME = re.compile(r"([a-z0-9-]+):<?([a-z0-9-]+)>?=<?([a-z0-9][a-z0-9-]*)>?")


@dataclass(frozen=True)
class Parent:
    """An adapter and its share.

    Args:
        renames: {placeholder: what it is called in the merge}.
    """

    adapter: store.Adapter
    weight: float
    renames: dict[str, str]

    def placeholder(self, own: str) -> str:
        """What one of its placeholders is called in the merge."""
        return self.renames.get(own, own)


def find_parents(texts: Sequence[str], renames: Sequence[str]) -> list[Parent]:
    """The parents of a merge, checked.

    Args:
        texts: NAME[:WEIGHT] of each.
        renames: PARENT:OLD=NEW of placeholders.

    Raises:
        InputError: one is not there or named twice, or they cannot be one.
    """
    weights = [store.parse_weight(text) for text in texts]
    names = [name for name, _ in weights]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{twice!r} is named twice", f"give one weight, for example {twice}:2")
    by_parent = parse_renames(renames, names)
    parents = [
        Parent(store.find(store.validate_name(name)), weight, by_parent.get(name, {}))
        for name, weight in weights
    ]
    check_parents(parents)
    return parents


def parse_renames(texts: Sequence[str], parents: Sequence[str]) -> dict[str, dict[str, str]]:
    """{parent: {placeholder: new placeholder}} of PARENT:OLD=NEW.

    Raises:
        InputError: one is something else.
    """
    renames: dict[str, dict[str, str]] = {}
    for text in texts:
        match = RENAME.fullmatch(text)
        if not match or match[1] not in parents:
            raise InputError(
                f"--rename {text!r} is not PARENT:OLD=NEW", f"for example {parents[-1]}:dog=rex"
            )
        renames.setdefault(match[1], {})[f"<{match[2]}>"] = f"<{match[3]}>"
    return renames


def check_parents(parents: Sequence[Parent]) -> None:
    """Make sure that the parents can be one.

    Raises:
        InputError: one is no LoRA, they were made for different models, or they share a token.
    """
    first = parents[0].adapter
    owners: dict[str, str] = {}
    for parent in parents:
        adapter = parent.adapter
        if KINDS[adapter.kind] is not LORA:
            raise InputError(
                f"{adapter.name!r} is an adapter of kind {adapter.kind!r}, which cannot be merged",
                "leave it out",
            )
        if adapter.base.fingerprint != first.base.fingerprint:
            bases = (
                f"{first.name} was made for {first.base.title},"
                f" {adapter.name} for {adapter.base.title}"
            )
            same_name = first.base.title == adapter.base.title
            raise InputError(
                f"{bases}{' with other weights' if same_name else ''}", "merge adapters of one base"
            )
        if unknown := [token for token in parent.renames if token not in adapter.tokens]:
            raise InputError(
                f"{adapter.name} has no token {unknown[0]}",
                f"it has {' '.join(adapter.tokens) or 'none'}",
            )
        for token in map(parent.placeholder, adapter.tokens):
            if token in owners:
                word = token[1:-1]
                raise InputError(
                    f"{owners[token]} and {adapter.name} both hold {token}",
                    f"rename one, for example --rename {adapter.name}:{word}={word}-2",
                )
            owners[token] = adapter.name
