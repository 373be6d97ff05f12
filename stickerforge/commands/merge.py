"""Several adapters to one that does what all of them do together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stickerforge.adapters import store
from stickerforge.adapters.lora_format import MAX_RANK
from stickerforge.adapters.merge_parents import Parent, find_parents
from stickerforge.adapters.upgrade import read_upgraded
from stickerforge.config.resolve import resolve
from stickerforge.config.schema import MergeConfig
from stickerforge.config.style_presets import style_presets
from stickerforge.errors import InputError
from stickerforge.models.long_prompts import LongPrompts, shared_rule
from stickerforge.training.run_folder import run_folder
from stickerforge.version import __version__


@dataclass(frozen=True)
class Result:
    """The merged adapter."""

    adapter: store.Adapter

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        return {
            "adapter": self.adapter.name,
            "kind": self.adapter.kind,
            **self.adapter.locations(),
            "sha256": self.adapter.sha256,
            "placeholders": list(self.adapter.tokens),
            "phrase": self.adapter.phrase,
            "base": self.adapter.base.title,
            "parents": self.adapter.parents,
        }

    def note(self) -> str:
        """For people."""
        parts = [" ".join(self.adapter.tokens), self.adapter.phrase]
        return ", ".join([f"merged into {self.adapter.name!r}", *filter(None, parts)])


def merge(*parents: str, name: str, settings: Mapping[str, Any] | None = None) -> store.Adapter:
    """Merge from Python: `merge("dog", "crayon:0.8", name="dog-crayon")`.

    Raises:
        StickerforgeError: see `stickerforge.errors`.
    """
    config = resolve(MergeConfig, settings or {}, {"parents": list(parents), "name": name})
    return run(config, force=False).adapter


def check_name(config: MergeConfig, *, force: bool) -> None:
    """Make sure that there is something to merge, and that its name is free.

    Raises:
        InputError: there are fewer than two parents, or the name is taken.
    """
    if len(config.parents) < 2:
        raise InputError(
            "a merge needs two adapters or more",
            "for example stickerforge merge dog crayon --name dog-crayon",
        )
    check_free_name(config.name, "merge", force=force)


def check_free_name(name: str, what: str, *, force: bool) -> None:
    """Make sure that a new adapter has a name, and that it is free.

    Args:
        what: the adapter is.
        force: whether one of this name may be replaced.

    Raises:
        InputError: it has none, or that is taken.
    """
    if not name:
        raise InputError(f"the {what} has no name", "give --name NAME")
    store.validate_name(name)
    if name in style_presets() and not force:
        raise InputError(
            f"{name!r} is the name of a preset",
            "give another --name, or --force to have both",
        )
    if store.exists(name) and not force:
        raise InputError(
            f"there is an adapter {name!r} already",
            "give another --name, or --force to replace it",
        )
    checkpoint = None if force else run_folder(name).checkpoint_info()
    if checkpoint and not checkpoint.finished:
        hint = "finish it with customize --resume, or give another --name"
        raise InputError(f"an unfinished run of customize has the name {name!r}", hint)


def plan(config: MergeConfig, *, force: bool) -> list[Parent]:
    """The parents, checked.

    Raises:
        InputError: there are fewer than two, their bases or tokens clash, or the name is taken.
    """
    check_name(config, force=force)
    parents = find_parents(config.parents, config.rename)
    long_prompts_of(parents)
    return parents


def long_prompts_of(parents: Sequence[Parent]) -> LongPrompts | None:
    """How the merge reads prompts.

    Raises:
        InputError: its parents were trained in different ways.
    """
    return shared_rule([(parent.adapter.name, parent.adapter.long_prompts) for parent in parents])


def run(config: MergeConfig, *, force: bool) -> Result:
    """Concatenate and save.

    Raises:
        StickerforgeError: input or environment; nothing is half-written.
    """
    parents = plan(config, force=force)
    if not run_folder(config.name).path.exists():
        return save_merge(config, parents)
    # A run in progress would write its adapter over this one in the end.
    with run_folder(config.name).lock():
        check_name(config, force=force)
        return save_merge(config, parents)


def save_merge(config: MergeConfig, parents: Sequence[Parent]) -> Result:
    """The merge of checked parents.

    Raises:
        InputError: the tensors of one cannot be read, or the merge would have too high a rank.
        EnvironmentFault: the disk is full or read-only.
    """
    from stickerforge.adapters.lora_weights import AdapterWeights
    from stickerforge.adapters.merging import concatenate

    weights = [read_upgraded(parent.adapter) for parent in parents]
    lora = concatenate([(own.lora, p.weight) for own, p in zip(weights, parents, strict=True)])
    if (rank := max((factors.rank for factors in lora.values()), default=0)) > MAX_RANK:
        raise InputError(
            f"the merge would have rank {rank}, over {MAX_RANK}",
            "merge fewer adapters, or some of lower rank",
        )
    embeddings, class_words = {}, {}
    for own, parent in zip(weights, parents, strict=True):
        for token in own.tokens:
            embeddings[parent.placeholder(token)] = own.tokens[token]
        for token, words in parent.adapter.tokens.items():
            class_words[parent.placeholder(token)] = words
    adapter = store.save(
        config.name,
        AdapterWeights(lora, embeddings),
        kind="merged",
        base=parents[0].adapter.base,
        tokens=class_words,
        phrase=", ".join(parent.adapter.phrase for parent in parents if parent.adapter.phrase),
        made={"method": "concatenation", "versions": {"stickerforge": __version__}},
        parents=[
            {
                "name": parent.adapter.name,
                "weight": parent.weight,
                "sha256": parent.adapter.sha256,
                "renamed": parent.renames,
            }
            for parent in parents
        ],
        long_prompts=long_prompts_of(parents),
    )
    return Result(adapter)


def dry_run(config: MergeConfig, *, force: bool) -> tuple[dict[str, Any], list[str]]:
    """What the call would do: (result for the JSON, lines for people)."""
    parents = plan(config, force=force)
    paths = [path for parent in parents for path in parent.adapter.paths]
    reads, folder = [str(path) for path in paths], str(store.folder(config.name))
    size = sum(path.stat().st_size for path in paths)
    result = {
        "dry_run": True,
        "reads": reads,
        "writes": [folder],
        "about_bytes": size,
        "about_seconds": 2.0,
    }
    lines = [f"read    {path}" for path in reads]
    lines += [f"write   {folder}", f"about   2 s, {size / 1e6:.1f} MB on disk"]
    return result, lines
