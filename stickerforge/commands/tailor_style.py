"""`tailor style`: a general model becomes one of stickers in a house style."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stickerforge.adapters import store
from stickerforge.config.resolve import resolve
from stickerforge.config.schema import TailorStyleConfig
from stickerforge.models.hub import encoder_repository
from stickerforge.runtime.console import Console
from stickerforge.runtime.signals import interruptible
from stickerforge.runtime.text import plural
from stickerforge.training.style_data import StyleData, read_sets
from stickerforge.training.style_plan import StylePlan, plan_style_training

if TYPE_CHECKING:
    from stickerforge.training.tuning_result import Tuning


@dataclass
class Result:
    """What a training came to.

    Args:
        data: what was trained on.
    """

    plan: StylePlan
    tuning: "Tuning"
    data: StyleData
    warnings: list[str] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        """What was made."""
        return [str(self.tuning.adapter.path)]

    @property
    def failed(self) -> list[str]:
        """A line for each picture that could not be used."""
        return self.data.failed

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        adapter = self.tuning.adapter
        return {
            "stage": self.plan.config.stage,
            "arm": self.plan.arm,
            "adapter": adapter.name,
            "kind": adapter.kind,
            **adapter.locations(),
            "sha256": adapter.sha256,
            "base": adapter.base.title,
            "from": self.plan.start.name if self.plan.start else None,
            "sets": {name: len(each.pictures) for name, each in self.data.sets.items()},
            "failed": self.failed,
            "steps": adapter.made["steps"],
            "figures": self.tuning.metrics,
            "run": str(self.plan.run.path),
        }

    def note(self) -> str:
        """For people."""
        name, metrics = self.tuning.adapter.name, self.tuning.metrics
        if self.plan.arm == "prompt":
            return f'made {name!r}; use it: stickerforge generate "a cat" --style {name}'
        figures = ", ".join(
            f"{key.replace('_', ' ')} {metrics[key]:.3g}"
            for key in ("error", "content_share", "style_distance", "alignment", "diversity")
            if key in metrics
        )
        return (
            f"tailored {name!r} on {self.data.in_words} in"
            f" {plural(self.tuning.kept_step, 'step')}: {figures};"
            f' use it: stickerforge generate "a cat" --adapter {name}'
        )


def tailor_style(
    name: str,
    stage: str = "joint",
    *,
    settings: Mapping[str, Any] | None = None,
    force: bool = False,
    resume: bool = False,
) -> Result:
    """Tailor from Python: `tailor_style("house", "joint", settings={"arm": "mixed"})`.

    Args:
        name: of the tailored model.
        stage: domain, content, style or joint.
        settings: as in a configuration file, by dotted name: {"training.steps": 300}.
        force: replace an adapter or run of this name.
        resume: go on with a run, interrupted or finished.

    Raises:
        StickerforgeError: input or environment; single pictures are listed in `Result.failed`.
    """
    config = resolve(TailorStyleConfig, settings or {}, {"name": name, "stage": stage})
    return run(config, Console(quiet=True), offline=False, force=force, resume=resume)


def plan(
    config: TailorStyleConfig, console: Console, *, offline: bool, force: bool, resume: bool
) -> tuple[StylePlan, StyleData]:
    """Check the settings, and read what is trained on.

    Raises:
        InputError: something cannot work, or would overwrite what is there.
        EnvironmentFault: the model cannot be had here.
    """
    own = plan_style_training(config, console, offline=offline, force=force, resume=resume)
    return own, read_sets(own, config.name, console)


def run(
    config: TailorStyleConfig, console: Console, *, offline: bool, force: bool, resume: bool
) -> Result:
    """Train and save.

    Raises:
        StickerforgeError: input or environment; a checkpoint stays.
        Interrupted: likewise.
    """
    with interruptible():
        own, data = plan(config, console, offline=offline, force=force, resume=resume)
        # From here on torch and the networks are needed, which take seconds to load.
        from stickerforge.training.tailor_style import tailor_style

        with own.run.lock():
            tuning = tailor_style(own, data, console, offline=offline, force=force, resume=resume)
        return Result(own, tuning, data, console.warnings)


def dry_run(
    config: TailorStyleConfig, console: Console, *, force: bool, resume: bool
) -> tuple[dict[str, Any], list[str]]:
    """What the call would do: (result for the JSON, lines for people)."""
    from stickerforge.training.style_estimate import describe  # loads torch

    own, data = plan(config, console, offline=True, force=force, resume=resume)
    cost, share = describe(own, console)
    training = own.config.training
    encoder = encoder_repository(own.config.validation.encoder) if own.validation_interval else ""
    writes = [str(store.folder(own.name)), str(own.run.path)]
    counts = {name: len(each.pictures) for name, each in data.sets.items()}
    start = own.start.name if own.start else ""
    result = {
        "dry_run": True,
        "stage": own.config.stage,
        "arm": own.arm,
        "adapter": own.name,
        "model": own.card.title,
        "from": start or None,
        "sets": counts,
        "content_share": round(share, 4),
        "drops": data.failed,
        "fetches": [encoder] if encoder else [],
        "writes": writes,
        "training": vars(training),
        "about_seconds": round(cost.seconds, 1),
        "about_memory_mb": cost.memory_bytes // 1_000_000,
    }
    lines = [
        f"adapter {own.name} for {own.card.title}{f', from {start}' if start else ''}",
        *(f"read    {plural(count, 'picture')} of {name}" for name, count in counts.items()),
        *(f"drop    {line}" for line in data.failed),
        *(f"write   {path}{os.sep}" for path in writes),
        f"train   {training.steps} steps of {training.batch}, rank {training.rank}, "
        f"lr {training.lr}, {share:.1%} content",
        f"about   {result['about_seconds']} s, {result['about_memory_mb']} MB",
    ]
    return result, lines
