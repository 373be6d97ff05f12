"""`adapters export`: an image adapter for diffusers, which is tried before it is kept."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stickerforge.adapters.image_export import (
    FILE,
    ImageAdapter,
    encode_folder,
    read_image_adapter,
)
from stickerforge.adapters.image_prompt_weights import check_width
from stickerforge.adapters.store import README
from stickerforge.adapters.weight_files import digest
from stickerforge.errors import InputError
from stickerforge.generation.active_adapters import is_path
from stickerforge.models.card import ModelCard
from stickerforge.models.cost import sampling_cost
from stickerforge.models.families.specs import family_spec
from stickerforge.models.network_config import read_network_config
from stickerforge.models.registry import find_model, load_model
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import write_whole
from stickerforge.runtime.new_folder import check_new, new_folder


@dataclass(frozen=True)
class Plan:
    """What is exported, where to, and the model that it is tried with."""

    adapter: ImageAdapter
    folder: Path
    card: ModelCard

    @property
    def pipeline(self) -> str:
        """The class of diffusers that the model is of."""
        return family_spec(self.card.folder).pipeline


@dataclass(frozen=True)
class Result:
    """What was exported.

    Args:
        files: {name: sha256}.
        difference: the largest one between a value predicted here and in plain diffusers.
    """

    plan: Plan
    files: dict[str, str]
    difference: float

    @property
    def file(self) -> Path:
        """The adapter."""
        return self.plan.folder / FILE

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        folder, shape = self.plan.folder, self.plan.adapter.weights.shape
        return {
            "adapter": self.plan.adapter.source,
            "kind": "image",
            "variant": shape.variant,
            "model": self.plan.card.title,
            "folder": str(folder),
            "path": str(self.file),
            "files": [str(folder / name) for name in self.files],
            "sha256": self.files[FILE],
            "difference": self.difference,
        }

    def note(self) -> str:
        """For people."""
        return (
            f"loaded in plain diffusers it does what it does here (largest difference"
            f" {self.difference:.1g}); {README} beside it says how to load it"
        )


def plan(
    source: str, folder: str, model: str, *, offline: bool, say: Callable[[str], None]
) -> Plan:
    """What would be exported, checked.

    Args:
        source: an adapter's name, or the path of a file or folder.
        model: the model that it is tried with; "" for that which it was made for.

    Raises:
        InputError: there is no such image adapter, nothing says what it is for, the folder holds
            something, or model and adapter do not fit each other.
        EnvironmentFault: the model cannot be had here.
    """
    if not folder.strip():
        raise InputError("no folder to export to", "give one that is not there yet")
    check_new(Path(folder))
    adapter = read_image_adapter(source, Path(source) if source and is_path(source) else None)
    name = model or base_of(adapter)
    card = find_model(name, offline=offline, say=say)
    widths = read_network_config(card.folder / family_spec(card.folder).denoiser)
    check_width(adapter.weights.shape, widths.cross_attention_dim, adapter.source, card.title)
    return Plan(adapter, Path(folder), card)


def base_of(adapter: ImageAdapter) -> str:
    """The model that an adapter was made for, as `find_model` takes it.

    Raises:
        InputError: nothing says which, or it is not where it was.
    """
    if adapter.installed is None:
        raise InputError(
            f"{adapter.path} does not say which model it is for, with which it is tried",
            "give --model NAME",
        )
    name = adapter.installed.base.name
    if Path(name).is_absolute() and not Path(name).exists():
        raise InputError(
            f"the model that {adapter.source!r} was made for is no longer in {name}",
            "give --model FOLDER, where it is now",
        )
    return name


def run(source: str, folder: str, model: str, *, offline: bool, console: Console) -> Result:
    """Export, and try it in plain diffusers before it is kept.

    Raises:
        StickerforgeError: input or environment; or it does something else there. Nothing is left.
    """
    import torch

    from stickerforge.adapters.export_check import check_in_diffusers, pass_here

    export = plan(source, folder, model, offline=offline, say=console.say)
    with new_folder(export.folder) as place:
        files = encode_folder(export.adapter, export.card)
        for name, content in files.items():
            write_whole(place / name, content)
        console.say("trying it in plain diffusers")
        # The model goes before the other process holds one, too.
        here = pass_here(
            load_model(export.card, torch.device("cpu"), torch.float32),
            export.adapter.weights,
            export.adapter.source,
        )
        difference = check_in_diffusers(
            here, export.card.folder, export.pipeline, place / FILE, export.adapter.source
        )
    return Result(export, {name: digest(content) for name, content in files.items()}, difference)


def dry_run(source: str, folder: str, model: str) -> tuple[dict[str, Any], list[str]]:
    """What the call would do: (result for the JSON, lines for people)."""
    export = plan(source, folder, model, offline=True, say=lambda line: None)
    reads = [str(export.adapter.path), str(export.card.folder)]
    writes = [str(export.folder / name) for name in (FILE, README)]
    cost = sampling_cost(export.card, pictures=1, steps=1, guidance=1, pixels=128, cuda=False)
    size, seconds = export.adapter.path.stat().st_size, round(2 * cost.seconds, 1)
    result = {
        "dry_run": True,
        "model": export.card.title,
        "reads": reads,
        "writes": writes,
        "about_bytes": size,
        "about_seconds": seconds,
        "about_memory_mb": cost.memory_bytes // 1_000_000,
    }
    lines = [
        f"model   {export.card.title} ({export.card.folder})",
        *(f"read    {path}" for path in reads),
        *(f"write   {path}" for path in writes),
        f"about   {seconds} s, {result['about_memory_mb']} MB, {size / 1e6:.1f} MB on disk",
    ]
    return result, lines
