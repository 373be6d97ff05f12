"""`adapters bake`: a mixture of LoRAs as one plain LoRA, which every program can load."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from stickerforge.adapters import store
from stickerforge.commands.merge import check_free_name
from stickerforge.errors import InputError
from stickerforge.generation.active_adapters import long_prompts_of
from stickerforge.generation.known_words import shorten
from stickerforge.generation.mixture_baking import BakePlan, plan_bake
from stickerforge.generation.mixture_baking import BakeRequest as BakeRequest
from stickerforge.models.checksums import verify
from stickerforge.models.registry import load_model
from stickerforge.runtime.console import Console
from stickerforge.training.run_folder import run_folder
from stickerforge.version import __version__

SECONDS = 5.0  # of the imports; the rest is reading and writing


@dataclass(frozen=True)
class Result:
    """The plain LoRA, and what each parent counts in it, averaged over the layers."""

    plan: BakePlan
    adapter: store.Adapter
    shares: dict[str, float]

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        return {
            "adapter": self.adapter.name,
            "kind": self.adapter.kind,
            **self.adapter.locations(),
            "sha256": self.adapter.sha256,
            "base": self.adapter.base.title,
            "parents": self.adapter.parents,
            "shares": self.shares,
        }

    def note(self) -> str:
        """For people."""
        request = self.plan.request
        of = "the static average"
        if not request.average:
            of = f"what it is for {shorten(request.prompt)!r} at timestep {request.timestep}"
        shares = ", ".join(f"{name} {share:.0%}" for name, share in self.shares.items())
        return f"{request.source!r} as the plain LoRA {request.name!r}, {of}: {shares}"


def plan(request: BakeRequest, *, offline: bool, say: Callable[[str], None]) -> BakePlan:
    """What would be baked, checked.

    Raises:
        InputError: see `plan_bake`; or the LoRA's name is taken.
        EnvironmentFault: the model cannot be had here.
    """
    planned = plan_bake(request, offline=offline, say=say)
    check_name(request)
    return planned


def check_name(request: BakeRequest) -> None:
    """Make sure that the LoRA's name is free.

    Raises:
        InputError: it is taken, or cannot be one.
    """
    if request.name and request.name == request.source:
        raise InputError(f"{request.name!r} is the mixture's own name", "give another --name")
    check_free_name(request.name, "LoRA", force=request.force)


def run(request: BakeRequest, *, offline: bool, console: Console) -> Result:
    """Bake and save.

    Raises:
        StickerforgeError: input or environment; nothing is half-written.
    """
    import torch

    from stickerforge.adapters import mixture, mixture_blend

    baked = plan(request, offline=offline, say=console.say)
    weights = baked.active.read_weights()
    shares = mixture_blend.even_shares(weights)
    if baked.card is not None and request.timestep is not None:
        verify(baked.card.folder)
        model = load_model(baked.card, torch.device("cpu"), torch.float32)
        model.long_prompts = long_prompts_of([baked.active], baked.card)
        shares = mixture.shares_at(model, weights, request.prompt, request.timestep)
    lora = mixture_blend.blended_adapter(weights, shares)
    if not run_folder(request.name).path.exists():
        adapter = save(baked, lora)
    else:  # a run in progress would write its adapter over this one in the end
        with run_folder(request.name).lock():
            check_name(request)
            adapter = save(baked, lora)
    return Result(baked, adapter, mean_shares(weights.names, list(shares.values())))


def mean_shares(names: Sequence[str], rows: Sequence[Sequence[float]]) -> dict[str, float]:
    """What each parent counts, averaged over layers.

    Args:
        rows: of every layer, one number for each parent.
    """
    columns = zip(*rows, strict=True)
    means = (round(sum(column) / len(rows), 6) for column in columns)
    return dict(zip(names, means, strict=True))


def save(baked: BakePlan, lora: Any) -> store.Adapter:
    """Write the plain LoRA.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    request, mixture = baked.request, baked.mixture
    return store.save(
        request.name,
        lora,
        kind="tuned",
        base=mixture.base,
        tokens={},
        phrase="",
        made={
            "objective": "average of a mixture" if request.average else "baked mixture",
            "prompt": request.prompt or None,
            "timestep": request.timestep,
            "versions": {"stickerforge": __version__},
        },
        parents=[{"name": mixture.name, "weight": 1.0, "sha256": mixture.sha256}],
        long_prompts=mixture.long_prompts,
    )


def dry_run(request: BakeRequest) -> tuple[dict[str, Any], list[str]]:
    """What the call would do: (result for the JSON, lines for people)."""
    baked = plan(request, offline=True, say=lambda line: None)
    reads = [str(path) for path in baked.mixture.paths]
    reads += [str(baked.card.folder)] if baked.card else []
    folder = str(store.folder(request.name))
    size = baked.mixture.path.stat().st_size
    result = {
        "dry_run": True,
        "reads": reads,
        "writes": [folder],
        "about_bytes": size,
        "about_seconds": SECONDS,
    }
    lines = [f"read    {path}" for path in reads]
    lines += [f"write   {folder}", f"about   {SECONDS:g} s, {size / 1e6:.1f} MB on disk"]
    return result, lines
