"""`tailor alpha`: a decoder with which an opaque model draws transparent stickers."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stickerforge.adapters import store
from stickerforge.adapters.decoder_format import autoencoder_name
from stickerforge.config.resolve import resolve
from stickerforge.config.schema import TailorAlphaConfig
from stickerforge.runtime.console import Console
from stickerforge.runtime.signals import interruptible
from stickerforge.runtime.text import plural
from stickerforge.training.alpha_plan import AlphaPlan, plan_tailor_alpha
from stickerforge.training.sticker_pictures import StickerPictures, read_stickers

if TYPE_CHECKING:
    from stickerforge.training.tailor_alpha import TunedDecoder

SHOWN = {
    "alpha_error": "alpha error {:.3f}",
    "white_recall": "{:.1%} kept of what has the colour of the canvas",
    "rgb_change": "colours {:+.2f} dB",
    "halo": "halo {:.1f}",
}


@dataclass
class Result:
    """What a call made.

    Args:
        pictures: what was trained on.
    """

    tuned: "TunedDecoder"
    folder: Path
    pictures: StickerPictures
    warnings: list[str] = field(default_factory=list)

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        adapter = self.tuned.adapter
        return {
            "adapter": adapter.name,
            "kind": adapter.kind,
            **adapter.locations(),
            "sha256": adapter.sha256,
            "base": adapter.base.title,
            "encoder": adapter.encoder,
            "autoencoder": str(store.folder(adapter.name) / autoencoder_name(adapter)),
            "count": self.pictures.count,
            "failed": self.pictures.unreadable,
            "held_out": len(self.pictures.held_out),
            "steps": adapter.made["steps"],
            "kept_step": self.tuned.kept_step,
            "figures": self.tuned.metrics,
            "preview": str(self.tuned.page) if self.tuned.page else None,
            "run": str(self.folder),
        }

    def note(self) -> str:
        """For people."""
        adapter, metrics = self.tuned.adapter, self.tuned.metrics
        figures = [text.format(metrics[key]) for key, text in SHOWN.items() if key in metrics]
        held_out = f": {', '.join(figures)} on {len(self.pictures.held_out)} held out"
        return (
            f"made the decoder {adapter.name!r} of {plural(self.pictures.count, 'picture')}, state"
            f" after {plural(self.tuned.kept_step, 'step')}{held_out if figures else ''}; use it:"
            f' stickerforge generate "a cat" --model {adapter.base.name} --adapter {adapter.name}'
        )


def tailor_alpha(
    pictures: str | Path = "",
    *,
    settings: Mapping[str, Any] | None = None,
    force: bool = False,
    resume: bool = False,
) -> Result:
    """Make a decoder from Python: `tailor_alpha("stickers", settings={"name": "clear", …})`.

    Args:
        pictures: a folder of pictures with a transparent ground.
        settings: as in a configuration file, by dotted name: {"training.steps": 300}.
        force: replace an adapter or run of this name.
        resume: go on with a run, interrupted or finished.

    Raises:
        StickerforgeError: input or environment; single pictures are listed in the result.
    """
    given = {"pictures": str(pictures)} if pictures else {}
    config = resolve(TailorAlphaConfig, settings or {}, given)
    return run(config, Console(quiet=True), offline=False, force=force, resume=resume)


def plan(
    config: TailorAlphaConfig, console: Console, *, offline: bool, force: bool, resume: bool
) -> tuple[AlphaPlan, StickerPictures]:
    """Check the settings, and read the pictures.

    Raises:
        InputError: something cannot work, or would overwrite what is there.
        EnvironmentFault: the model cannot be had here.
    """
    own = plan_tailor_alpha(config, console, offline=offline, force=force, resume=resume)
    validation = own.config.validation
    pictures = read_stickers(
        config.pictures,
        console,
        seed=own.config.seed,
        share=own.held_out_share,
        most=validation.pictures,
        photos=own.photos,
    )
    own.resumable_with(pictures.digest, force=force, resume=resume)
    return own, pictures


def run(
    config: TailorAlphaConfig, console: Console, *, offline: bool, force: bool, resume: bool
) -> Result:
    """Train and save.

    Raises:
        StickerforgeError: input or environment; a checkpoint stays.
        Interrupted: likewise.
    """
    with interruptible():
        own, pictures = plan(config, console, offline=offline, force=force, resume=resume)
        # From here on torch and the networks are needed, which take seconds to load.
        from stickerforge.training.tailor_alpha import tailor_alpha

        with own.run.lock():
            tuned = tailor_alpha(own, pictures, console, force=force, resume=resume)
        return Result(tuned, own.run.path, pictures, console.warnings)


def dry_run(
    config: TailorAlphaConfig, console: Console, *, force: bool, resume: bool
) -> tuple[dict[str, Any], list[str]]:
    """What the call would do: (result for the JSON, lines for people)."""
    from stickerforge.training.alpha_estimate import alpha_cost, warn_of_memory  # loads torch

    own, pictures = plan(config, console, offline=True, force=force, resume=resume)
    training, held_out = own.config.training, len(pictures.held_out)
    cost = alpha_cost(own, held_out, len(pictures.photos))
    writes = [str(store.folder(own.name)), str(own.run.path)]
    photos = own.photos
    warn_of_memory(own, console)
    result = {
        "dry_run": True,
        "adapter": own.name,
        "model": own.card.title,
        "reads": pictures.place,
        "count": pictures.count,
        "grounds": photos or None,
        "photos": len(pictures.photos),
        "held_out": held_out,
        "drops": pictures.unreadable,
        "writes": writes,
        "training": vars(training),
        "about_seconds": round(cost.seconds, 1),
        "about_memory_mb": cost.memory_bytes // 1_000_000,
    }
    lines = [
        f"decoder {own.name} for {own.card.title}",
        f"read    {plural(pictures.count, 'picture')} of {pictures.place}, {held_out} held out",
        *([f"read    {plural(len(pictures.photos), 'ground')} of {photos}"] if photos else []),
        *(f"drop    {line}" for line in pictures.unreadable),
        *(f"write   {path}{os.sep}" for path in writes),
        f"train   {training.steps} steps of {training.batch} at {training.resolution} px,"
        f" lr {training.lr}",
        f"about   {result['about_seconds']} s, {result['about_memory_mb']} MB",
    ]
    return result, lines
