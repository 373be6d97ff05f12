"""`tailor prompt`: a model that reads long prompts to the last word."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stickerforge.adapters import store
from stickerforge.config.resolve import resolve
from stickerforge.config.schema import TailorPromptConfig
from stickerforge.errors import CheckFailed
from stickerforge.models.hub import encoder_repository
from stickerforge.models.reward_names import reward_repository
from stickerforge.runtime.console import Console
from stickerforge.runtime.signals import interruptible
from stickerforge.runtime.text import plural
from stickerforge.training.tailor_plan import TailorPlan, plan_tailor_prompt
from stickerforge.training.tuning_data import TuningData, read_data

if TYPE_CHECKING:
    from stickerforge.training.tuning_result import Tuning


@dataclass
class Result:
    """What a call made.

    Args:
        data: what was trained on.
    """

    tuning: "Tuning"
    folder: Path
    method: str
    data: TuningData
    warnings: list[str] = field(default_factory=list)

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        adapter, rule = self.tuning.adapter, self.tuning.adapter.long_prompts
        return {
            "adapter": adapter.name,
            "kind": adapter.kind,
            **adapter.locations(),
            "sha256": adapter.sha256,
            "base": adapter.base.title,
            "trained_on": self.method,
            "count": self.data.count,
            "failed": self.data.failed,
            "steps": adapter.made["steps"],
            "kept_step": self.tuning.kept_step,
            "ended": self.tuning.ended,
            "long_prompts": {"mode": rule.mode, "length": rule.length} if rule else None,
            "figures": self.tuning.metrics,
            "run": str(self.folder),
        }

    def note(self) -> str:
        """For people."""
        name, rule = self.tuning.adapter.name, self.tuning.adapter.long_prompts
        reads = f"; it reads prompts as {rule.title}" if rule else ""
        figures = ", ".join(
            f"{key} {self.tuning.metrics[key]:.3g}"
            for key in ("error", "relevant", "alignment", "diversity", "drift")
            if key in self.tuning.metrics
        )
        return (
            f"tuned {name!r} on {self.data.in_words}, state after "
            f"{plural(self.tuning.kept_step, 'step')}: {figures}{reads}; "
            f'use it: stickerforge generate "a long prompt" --adapter {name}'
        )

    def error(self) -> CheckFailed | None:
        """Exit code 5 where the run was ended before its steps were done."""
        if not self.tuning.ended:
            return None
        return CheckFailed(
            f"{self.tuning.ended}: the state after {plural(self.tuning.kept_step, 'step')} is kept",
            "--resume --set validation.diversity=0.2 lets it lose more;"
            " --force and a lower --lr start over",
        )


def tailor_prompt(
    data: str | Path = "",
    *,
    settings: Mapping[str, Any] | None = None,
    force: bool = False,
    resume: bool = False,
) -> Result:
    """Tune from Python: `tailor_prompt("pictures", settings={"name": "long"})`.

    Args:
        data: pictures with captions; "" where the settings name prompts and a reward.
        settings: as in a configuration file, by dotted name: {"training.steps": 300}.
        force: replace an adapter or run of this name.
        resume: go on with a run, interrupted or finished.

    Raises:
        StickerforgeError: input or environment; single pictures are listed in `Result.failed`.
    """
    given = {"data": str(data)} if data else {}
    config = resolve(TailorPromptConfig, settings or {}, given)
    return run(config, Console(quiet=True), offline=False, force=force, resume=resume)


def plan(
    config: TailorPromptConfig, console: Console, *, offline: bool, force: bool, resume: bool
) -> tuple[TailorPlan, TuningData]:
    """Check the settings, and read what is trained on.

    Raises:
        InputError: something cannot work, or would overwrite what is there.
        EnvironmentFault: the model cannot be had here.
    """
    own = plan_tailor_prompt(config, console, offline=offline, force=force, resume=resume)
    return own, read_data(own, console)


def run(
    config: TailorPromptConfig, console: Console, *, offline: bool, force: bool, resume: bool
) -> Result:
    """Train and save.

    Raises:
        StickerforgeError: input or environment; a checkpoint stays.
        Interrupted: likewise.
    """
    with interruptible():
        own, data = plan(config, console, offline=offline, force=force, resume=resume)
        # From here on torch and the networks are needed, which take seconds to load.
        from stickerforge.training.tailor_prompt import tailor_prompt

        with own.run.lock():
            tuning = tailor_prompt(own, data, console, offline=offline, force=force, resume=resume)
        return Result(tuning, own.run.path, own.method, data, console.warnings)


def dry_run(
    config: TailorPromptConfig, console: Console, *, force: bool, resume: bool
) -> tuple[dict[str, Any], list[str]]:
    """What the call would do: (result for the JSON, lines for people)."""
    from stickerforge.training.tailor_estimate import tuning_cost, warn_of_memory  # loads torch

    own, data = plan(config, console, offline=True, force=force, resume=resume)
    cost, training, rule = tuning_cost(own), own.config.training, own.long_prompts
    encoder = encoder_repository(own.config.validation.encoder) if own.validation_interval else ""
    reward = reward_repository(own.config.preference.model) if own.method == "reward" else ""
    writes = [str(store.folder(own.name)), str(own.run.path)]
    warn_of_memory(own, console)
    result = {
        "dry_run": True,
        "adapter": own.name,
        "model": own.card.title,
        "trained_on": own.method,
        "reads": data.place,
        "count": data.count,
        "drops": data.failed,
        "fetches": [repository for repository in (encoder, reward) if repository],
        "writes": writes,
        "training": vars(training),
        "long_prompts": {"mode": rule.mode, "length": rule.length} if rule else None,
        "about_seconds": round(cost.seconds, 1),
        "about_memory_mb": cost.memory_bytes // 1_000_000,
    }
    lines = [
        f"adapter {own.name} for {own.card.title}",
        f"read    {data.in_words} of {data.place}",
        *(f"drop    {line}" for line in data.failed),
        *(f"write   {path}{os.sep}" for path in writes),
        f"train   {training.steps} steps of {training.batch}, rank {training.rank}, "
        f"lr {training.lr}, by {'captions' if own.method == 'prompt' else 'a reward'}",
        f"about   {result['about_seconds']} s, {result['about_memory_mb']} MB",
    ]
    return result, lines
