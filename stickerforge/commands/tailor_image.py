"""`tailor image`: an image adapter, with which a model draws like a picture."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stickerforge.adapters import store
from stickerforge.config.resolve import resolve
from stickerforge.config.schema import TailorImageConfig
from stickerforge.runtime.console import Console
from stickerforge.runtime.signals import interruptible
from stickerforge.runtime.text import plural
from stickerforge.training.image_pairs import ImagePairs, read_image_pairs
from stickerforge.training.image_plan import ImagePlan, plan_tailor_image

if TYPE_CHECKING:
    from stickerforge.training.tailor_image import TunedImagePrompt


@dataclass
class Result:
    """What a call made.

    Args:
        pairs: what was trained on.
    """

    tuned: "TunedImagePrompt"
    folder: Path
    pairs: ImagePairs
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
            "variant": adapter.made["variant"],
            "encoder": adapter.made["image_encoder"],
            "count": self.pairs.count,
            "failed": self.pairs.unreadable,
            "held_out": len(self.pairs.held_out.pictures),
            "steps": adapter.made["steps"],
            "kept_step": self.tuned.kept_step,
            "figures": self.tuned.metrics,
            "preview": str(self.tuned.page) if self.tuned.page else None,
            "run": str(self.folder),
        }

    def note(self) -> str:
        """For people."""
        adapter, metrics = self.tuned.adapter, self.tuned.metrics
        figures = ""
        if "error" in metrics:
            figures = (
                f": error {metrics['error']:.4f} with the reference and"
                f" {metrics['error_without']:.4f} without on"
                f" {len(self.pairs.held_out.pictures)} held out"
            )
        return (
            f"made the image adapter {adapter.name!r} of {plural(self.pairs.count, 'picture')},"
            f" state after {plural(self.tuned.kept_step, 'step')}{figures}; use it:"
            f" stickerforge generate --image-prompt FILE --model {adapter.base.name}"
            f" --adapter {adapter.name}"
        )


def tailor_image(
    data: str | Path = "",
    *,
    settings: Mapping[str, Any] | None = None,
    force: bool = False,
    resume: bool = False,
) -> Result:
    """Make an image adapter from Python: `tailor_image("pictures", settings={"name": "looks"})`.

    Args:
        data: a folder of captioned pictures, or a .jsonl file that lists them.
        settings: as in a configuration file, by dotted name: {"training.steps": 300}.
        force: replace an adapter or run of this name.
        resume: go on with a run, interrupted or finished.

    Raises:
        StickerforgeError: input or environment; single pictures are listed in the result.
    """
    given = {"data": str(data)} if data else {}
    config = resolve(TailorImageConfig, settings or {}, given)
    return run(config, Console(quiet=True), offline=False, force=force, resume=resume)


def plan(
    config: TailorImageConfig, console: Console, *, offline: bool, force: bool, resume: bool
) -> tuple[ImagePlan, ImagePairs]:
    """Check the settings, and read the pictures.

    Raises:
        InputError: something cannot work, or would overwrite what is there.
        EnvironmentFault: the model cannot be had here.
    """
    own = plan_tailor_image(config, console, offline=offline, force=force, resume=resume)
    pairs = read_image_pairs(
        config.data,
        console,
        seed=own.config.seed,
        share=own.held_out_share,
        most=own.config.validation.pictures,
    )
    own.resumable_with(pairs.digest, force=force, resume=resume)
    return own, pairs


def run(
    config: TailorImageConfig, console: Console, *, offline: bool, force: bool, resume: bool
) -> Result:
    """Train and save.

    Raises:
        StickerforgeError: input or environment; a checkpoint stays.
        Interrupted: likewise.
    """
    with interruptible():
        own, pairs = plan(config, console, offline=offline, force=force, resume=resume)
        # From here on torch and the networks are needed, which take seconds to load.
        from stickerforge.training.tailor_image import tailor_image

        with own.run.lock():
            tuned = tailor_image(own, pairs, console, offline=offline, force=force, resume=resume)
        return Result(tuned, own.run.path, pairs, console.warnings)


def dry_run(
    config: TailorImageConfig, console: Console, *, force: bool, resume: bool
) -> tuple[dict[str, Any], list[str]]:
    """What the call would do: (result for the JSON, lines for people)."""
    from stickerforge.training.image_estimate import image_cost, warn_of_memory  # loads torch

    own, pairs = plan(config, console, offline=True, force=force, resume=resume)
    training, held_out = own.config.training, len(pairs.held_out.pictures)
    cost = image_cost(own, held_out)
    writes = [str(store.folder(own.name)), str(own.run.path)]
    warn_of_memory(own, console)
    encoder = own.encoder
    result = {
        "dry_run": True,
        "adapter": own.name,
        "model": own.card.title,
        "variant": own.config.variant,
        "encoder": encoder.title,
        "fetches": encoder.fetch_line or None,
        "reads": pairs.place,
        "count": pairs.count,
        "held_out": held_out,
        "drops": pairs.unreadable,
        "writes": writes,
        "training": vars(training),
        "about_seconds": round(cost.seconds, 1),
        "about_memory_mb": cost.memory_bytes // 1_000_000,
    }
    lines = [
        f"image adapter {own.name} ({own.config.variant}) for {own.card.title}",
        f"encoder {encoder.title}",
        *([f"fetch   {encoder.fetch_line}"] if encoder.fetch_line else []),
        f"read    {plural(pairs.count, 'picture')} of {pairs.place}, {held_out} held out",
        *(f"drop    {line}" for line in pairs.unreadable),
        *(f"write   {path}{os.sep}" for path in writes),
        f"train   {training.steps} steps of {training.batch} at {training.resolution} px,"
        f" lr {training.lr}",
        f"about   {result['about_seconds']} s, {result['about_memory_mb']} MB",
    ]
    return result, lines
