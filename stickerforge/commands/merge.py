"""Several adapters to one that does what all of them do together."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stickerforge.adapters import store
from stickerforge.adapters.lora_format import MAX_RANK
from stickerforge.adapters.merging import parse_weight
from stickerforge.config.resolve import resolve
from stickerforge.config.schema import MergeConfig
from stickerforge.config.style_presets import style_presets
from stickerforge.errors import InputError
from stickerforge.runtime.files import home

RENAME = re.compile(r"([a-z0-9-]+):<?([a-z0-9-]+)>?=<?([a-z0-9][a-z0-9-]*)>?")


@dataclass(frozen=True)
class Parent:
    """An adapter and its share."""

    adapter: store.Adapter
    weight: float
    renamed: dict[str, str]

    def token(self, placeholder: str) -> str:
        """What a placeholder is called in the merge."""
        return self.renamed.get(placeholder, placeholder)


def merge(*parents: str, name: str, settings: Mapping[str, Any] | None = None) -> store.Adapter:
    """Merge from Python: `merge("dog", "crayon:0.8", name="dog-crayon")`.

    Raises:
        StickerforgeError: see `stickerforge.errors`.
    """
    return run(
        resolve(MergeConfig, settings or {}, {"parents": list(parents), "name": name}), force=False
    )


def plan(config: MergeConfig, *, force: bool) -> list[Parent]:
    """The parents, checked.

    Raises:
        InputError: there are fewer than two, their bases or tokens clash, or the name is taken.
    """
    if len(config.parents) < 2:
        raise InputError(
            "a merge needs two adapters or more",
            "for example stickerforge merge dog crayon --name dog-crayon",
        )
    if not config.name:
        raise InputError("the merge has no name", "give --name NAME")
    store.validate_name(config.name)
    if config.name in style_presets() and not force:
        raise InputError(
            f"{config.name!r} is the name of a preset",
            "give another --name, or --force to have both",
        )
    if store.exists(config.name) and not force:
        raise InputError(
            f"there is an adapter {config.name!r} already",
            "give another --name, or --force to replace it",
        )
    if (home() / "runs" / config.name / "checkpoint.json").exists() and not force:
        hint = "finish it with customize --resume, or give another --name"
        raise InputError(f"an unfinished run of customize has the name {config.name!r}", hint)
    named = [parse_weight(text) for text in config.parents]
    if twice := next(
        (name for name, _ in named if sum(name == other for other, _ in named) > 1), None
    ):
        raise InputError(f"{twice!r} is named twice", f"give one weight, for example {twice}:2")
    renames = renamings(config.rename, [name for name, _ in named])
    parents = [
        Parent(store.find(store.validate_name(name)), weight, renames.get(name, {}))
        for name, weight in named
    ]
    check_parents(parents)
    return parents


def renamings(texts: tuple[str, ...], parents: list[str]) -> dict[str, dict[str, str]]:
    """{parent: {placeholder: new placeholder}} of PARENT:OLD=NEW.

    Raises:
        InputError: one is something else.
    """
    found: dict[str, dict[str, str]] = {}
    for text in texts:
        match = RENAME.fullmatch(text)
        if not match or match[1] not in parents:
            raise InputError(
                f"--rename {text!r} is not PARENT:OLD=NEW", f"for example {parents[-1]}:dog=rex"
            )
        found.setdefault(match[1], {})[f"<{match[2]}>"] = f"<{match[3]}>"
    return found


def check_parents(parents: list[Parent]) -> None:
    """Make sure that the parents can be one.

    Raises:
        InputError: they were made for different models, or share a token.
    """
    first = parents[0].adapter
    owners: dict[str, str] = {}
    for parent in parents:
        if parent.adapter.base.fingerprint != first.base.fingerprint:
            what = f"{first.name} was made for {first.base.title}, {parent.adapter.name} for {parent.adapter.base.title}"
            raise InputError(
                f"{what}{'' if first.base.title != parent.adapter.base.title else ' with other weights'}",
                "merge adapters of one base",
            )
        if unknown := [token for token in parent.renamed if token not in parent.adapter.tokens]:
            raise InputError(
                f"{parent.adapter.name} has no token {unknown[0]}",
                f"it has {' '.join(parent.adapter.tokens) or 'none'}",
            )
        for token in map(parent.token, parent.adapter.tokens):
            if token in owners:
                hint = f"rename one, for example --rename {parent.adapter.name}:{token[1:-1]}={token[1:-1]}-2"
                raise InputError(
                    f"{owners[token]} and {parent.adapter.name} both hold {token}", hint
                )
            owners[token] = parent.adapter.name


def run(config: MergeConfig, *, force: bool) -> store.Adapter:
    """Concatenate and save.

    Raises:
        StickerforgeError: input or environment; nothing is half-written.
    """
    from stickerforge.adapters.lora_weights import AdapterWeights
    from stickerforge.adapters.merging import concatenate

    parents = plan(config, force=force)
    contents = [store.read_weights(parent.adapter) for parent in parents]
    merged = concatenate(
        [(content.lora, parent.weight) for content, parent in zip(contents, parents, strict=True)]
    )
    if (rank := max((factors.rank for factors in merged.values()), default=0)) > MAX_RANK:
        raise InputError(
            f"the merge would have rank {rank}, over {MAX_RANK}",
            "merge fewer adapters, or some of lower rank",
        )
    rows = {
        parent.token(token): towers
        for content, parent in zip(contents, parents, strict=True)
        for token, towers in content.tokens.items()
    }
    words = {
        parent.token(token): said
        for parent in parents
        for token, said in parent.adapter.tokens.items()
    }
    from stickerforge.version import __version__

    return store.save(
        config.name,
        AdapterWeights(merged, rows),
        kind="merged",
        base=parents[0].adapter.base,
        tokens=words,
        phrase=", ".join(parent.adapter.phrase for parent in parents if parent.adapter.phrase),
        made={"method": "concatenation", "versions": {"stickerforge": __version__}},
        parents=[
            {
                "name": p.adapter.name,
                "weight": p.weight,
                "sha256": p.adapter.sha256,
                "renamed": p.renamed,
            }
            for p in parents
        ],
    )


def result(adapter: store.Adapter) -> dict[str, Any]:
    """For the JSON."""
    return {
        "adapter": adapter.name,
        "kind": adapter.kind,
        "path": str(adapter.path),
        "sha256": adapter.sha256,
        "placeholders": list(adapter.tokens),
        "phrase": adapter.phrase,
        "base": adapter.base.title,
        "parents": adapter.parents,
    }


def dry_run(config: MergeConfig, *, force: bool) -> tuple[dict[str, Any], list[str]]:
    """What the call would do: (result for the JSON, lines for people)."""
    parents = plan(config, force=force)
    reads, place = [str(parent.adapter.path) for parent in parents], str(store.folder(config.name))
    size = sum(parent.adapter.path.stat().st_size for parent in parents)
    answer: dict[str, Any] = {
        "dry_run": True,
        "reads": reads,
        "writes": [place],
        "about_bytes": size,
        "about_seconds": 2.0,
    }
    lines = [f"read    {path}" for path in reads] + [
        f"write   {place}",
        f"about   2 s, {size / 1e6:.1f} MB on disk",
    ]
    return answer, lines
