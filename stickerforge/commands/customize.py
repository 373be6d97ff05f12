"""`customize`: an adapter from a few pictures of a subject or in a style."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stickerforge.adapters import store
from stickerforge.config.resolve import resolve
from stickerforge.config.schema import CustomizeConfig
from stickerforge.data.picture_folder import PictureFolder
from stickerforge.errors import CheckFailed
from stickerforge.models.hub import encoder_repository
from stickerforge.runtime.console import Console
from stickerforge.runtime.signals import interruptible
from stickerforge.runtime.text import plural
from stickerforge.training.checks import check_pictures
from stickerforge.training.defaults import training_json
from stickerforge.training.photographs import read_pictures
from stickerforge.training.plan import TrainingPlan, plan_training

if TYPE_CHECKING:
    from stickerforge.training.outcome import Outcome


@dataclass
class Result:
    """What a call made.

    Args:
        pictures: how many were trained on.
        failed: a line for each picture that could not be used.
        outcome: the loss on the pictures, with the adapter and without it.
        metrics: means over the last tenth of the steps.
    """

    adapter: store.Adapter
    folder: Path
    pictures: int
    steps: int
    outcome: "Outcome"
    failed: list[str] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    preview: Path | None = None
    warnings: list[str] = field(default_factory=list)

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        return {
            "adapter": self.adapter.name,
            "kind": self.adapter.kind,
            **self.adapter.locations(),
            "sha256": self.adapter.sha256,
            "placeholder": next(iter(self.adapter.tokens), None),
            "phrase": self.adapter.phrase,
            "base": self.adapter.base.title,
            "pictures": self.pictures,
            "failed": self.failed,
            "steps": self.steps,
            "learned": self.outcome.learned,
            "loss": self.outcome.loss,
            "base_loss": self.outcome.base_loss,
            "figures": self.metrics,
            "preview": str(self.preview) if self.preview else None,
            "run": str(self.folder),
        }

    def note(self) -> str:
        """For people."""
        name, token = self.adapter.name, next(iter(self.adapter.tokens), "")
        use = f'generate "a {token}"' if token else f'generate "cat" --style {name}'
        if token not in ("", f"<{name}>"):
            use += f" --adapter {name}"
        preview = f"; see {self.preview}" if self.preview else ""
        verdict = "learned" if self.outcome.learned else "trained, but not clearly learned:"
        return (
            f"{verdict} {name!r} from {plural(self.pictures, 'picture')}: {self.outcome.describe()}"
            f"{preview}; use it: stickerforge {use}"
        )

    def error(self) -> CheckFailed | None:
        """Exit code 5 where the loss never fell."""
        if not self.outcome.failed:
            return None
        return CheckFailed(
            f"{self.adapter.name!r} was not learned: {self.outcome.describe()}",
            "start over with --force and more --steps or a higher --lr",
        )


def customize(
    pictures: str | Path,
    *,
    settings: Mapping[str, Any] | None = None,
    force: bool = False,
    resume: bool = False,
) -> Result:
    """Teach from Python: `customize("photos", settings={"subject": "dog"})`.

    Args:
        settings: as in a configuration file, by dotted name: {"training.steps": 300}.
        force: replace an adapter or run of this name.
        resume: go on with a run, interrupted or finished.

    Raises:
        StickerforgeError: input or environment; single pictures are listed in `Result.failed`.
    """
    config = resolve(CustomizeConfig, settings or {}, {"pictures": str(pictures)})
    return run(config, Console(quiet=True), offline=False, force=force, resume=resume)


def plan(
    config: CustomizeConfig, console: Console, *, offline: bool, force: bool, resume: bool
) -> tuple[TrainingPlan, PictureFolder]:
    """Check the settings, and find the pictures.

    Raises:
        InputError: something cannot work, or would overwrite what is there.
        EnvironmentFault: the model cannot be had here.
    """
    training_plan = plan_training(config, console, offline=offline, force=force, resume=resume)
    return training_plan, read_pictures(config, training_plan, console)


def run(
    config: CustomizeConfig, console: Console, *, offline: bool, force: bool, resume: bool
) -> Result:
    """Train, save, preview.

    Raises:
        StickerforgeError: input or environment; a checkpoint stays.
        Interrupted: likewise.
    """
    with interruptible():
        training_plan, folder = plan(config, console, offline=offline, force=force, resume=resume)
        check_pictures(folder, training_plan.concept.placeholder, console)
        # From here on torch and the networks are needed, which take seconds to load.
        from stickerforge.training.personalize import personalize
        from stickerforge.training.preview import generate_preview

        with training_plan.run.lock():
            adapter, metrics, outcome = personalize(
                training_plan, folder, console, offline=offline, force=force, resume=resume
            )
        preview = generate_preview(training_plan, console, offline=offline)
        return Result(
            adapter,
            training_plan.run.path,
            len(folder.pictures),
            training_plan.config.training.steps,
            outcome,
            folder.unreadable,
            metrics,
            preview,
            console.warnings,
        )


def dry_run(
    config: CustomizeConfig, console: Console, *, force: bool, resume: bool
) -> tuple[dict[str, Any], list[str]]:
    """What the call would do: (result for the JSON, lines for people)."""
    training_plan, folder = plan(config, console, offline=True, force=force, resume=resume)
    check_pictures(folder, training_plan.concept.placeholder, Console(quiet=True))
    from stickerforge.training.estimate import estimate_cost  # loads torch

    cost = estimate_cost(training_plan)
    training, validates = training_plan.config.training, training_plan.validation_interval > 0
    name, concept, card = training_plan.name, training_plan.concept, training_plan.card
    encoder = encoder_repository(training_plan.config.validation.encoder) if validates else ""
    writes = [str(store.folder(name)), str(training_plan.run.path)]
    dropped = folder.unreadable + folder.other_files
    result: dict[str, Any] = {
        "dry_run": True,
        "adapter": name,
        "placeholder": concept.placeholder,
        "phrase": concept.phrase,
        "model": card.title,
        "reads": [str(picture.path) for picture in folder.pictures],
        "drops": dropped,
        "fetches": [encoder] if encoder else [],
        "writes": writes,
        "training": training_json(training, training_plan.config.seed),
        "about_seconds": round(cost.seconds, 1),
        "about_memory_mb": cost.memory_bytes // 1_000_000,
    }
    placeholder = f", placeholder {concept.placeholder}" if concept.placeholder else ""
    lines = [
        f"adapter {name} for {card.title}{placeholder}",
        *(f"read    {picture.path}" for picture in folder.pictures),
        *(f"drop    {line}" for line in dropped),
        *(f"write   {path}{os.sep}" for path in writes),
        f"train   {training.steps} steps of {training.batch}, rank {training.rank} on "
        f"{training.layers} layers, lr {training.lr}, {training.objective}",
        f"about   {result['about_seconds']} s, {result['about_memory_mb']} MB",
    ]
    return result, lines
