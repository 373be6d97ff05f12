"""What a run of `tailor reward` came to: adapters, figures, and pictures before and after."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stickerforge.adapters import store
from stickerforge.adapters.header import read_file
from stickerforge.adapters.kinds import LORA
from stickerforge.errors import CheckFailed, PartlyDone, StickerforgeError
from stickerforge.objectives.best_of_k import (
    Selection,
    best_of_k_curve,
    overlap,
    pairs_of,
)
from stickerforge.runtime.bounded_files import read_bounded
from stickerforge.runtime.files import locked, make_folder, write_whole
from stickerforge.runtime.text import plural
from stickerforge.training.provenance import versions
from stickerforge.training.reward_guard import Change
from stickerforge.training.reward_plan import RewardPlan
from stickerforge.training.reward_rounds import Round
from stickerforge.training.reward_sheets import first_pictures, write_sheet
from stickerforge.training.scored_pictures import ScoredSet
from stickerforge.training.tuning_plan import KIND

REPORT = "report.json"
MAX_BYTES = 1_000_000  # of the settings


@dataclass(frozen=True)
class Choices:
    """What is known before anything is trained.

    Args:
        candidates: the pictures of the base.
        selections: what is trained on, by aspect.
    """

    candidates: ScoredSet
    selections: dict[str, Selection]

    @property
    def curves(self) -> dict[str, list[float]]:
        """The mean best score of 1, 2, … pictures, by aspect."""
        return {name: best_of_k_curve(self.candidates.scores(name)) for name in self.selections}

    @property
    def overlaps(self) -> dict[str, float]:
        """Jaccard's index of the pictures that two aspects choose, by "one, other"."""
        return {
            f"{one}, {other}": overlap(self.selections[one], self.selections[other])
            for one, other in pairs_of(list(self.selections))
        }

    def lines(self) -> list[str]:
        """For people."""
        lines = [
            f"{name}: the best of 1 to {len(curve)} pictures has"
            f" {', '.join(f'{value:.3f}' for value in curve)} on average;"
            f" {len(self.selections[name].chosen)} of"
            f" {plural(self.selections[name].prompts, 'prompt')} chosen"
            for name, curve in self.curves.items()
        ]
        return lines + [f"overlap of {pair}: {value:.2f}" for pair, value in self.overlaps.items()]

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        return {
            "candidates": len(self.candidates.rows),
            "best_of_k": self.curves,
            "chosen": {name: len(one.chosen) for name, one in self.selections.items()},
            "overlap": self.overlaps,
        }


@dataclass(frozen=True)
class AspectOutcome:
    """What came of an aspect.

    Args:
        adapter: its name, also where it was not saved.
        rounds: all that were done.
        kept: the one that was saved; None where the guard held it back.
    """

    aspect: str
    adapter: str
    rounds: list[Round]
    kept: Round | None

    @property
    def shown(self) -> Round:
        """The round that people are told about."""
        return self.kept or self.rounds[-1]

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        there = self.kept is not None and store.exists(self.adapter)
        adapter = store.find(self.adapter) if there else None
        return {
            "aspect": self.aspect,
            "adapter": self.adapter,
            "promoted": self.kept is not None,
            **(adapter.locations() | {"sha256": adapter.sha256} if adapter else {}),
            "kept_round": self.kept.number if self.kept else None,
            "rounds": [each.result() for each in self.rounds],
        }

    def note(self) -> str:
        """For people."""
        own = self.shown.changes[self.aspect]
        noise = "" if own.rises or own.falls else ", no change beyond noise"
        figures = ", ".join(
            f"{name} {describe(change)}" for name, change in self.shown.changes.items()
        )
        verb = "made" if self.kept else "held back"
        return f"{verb} {self.adapter!r}{noise}: {figures}"


def describe(change: Change) -> str:
    """A change for people, with its interval."""
    ends = f" ({change.low:+.3f} to {change.high:+.3f})" if change.low is not None else ""
    return f"{change.mean:+.3f}{ends}"


@dataclass(frozen=True)
class RewardResult:
    """What a run came to.

    Args:
        base: the prompts that measure, as the base draws them.
    """

    plan: RewardPlan
    choices: Choices
    base: ScoredSet
    outcomes: list[AspectOutcome]
    warnings: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[str]:
        """A line for each picture that could not be drawn or read."""
        sets = [self.choices.candidates, self.base]
        sets += [each.after for outcome in self.outcomes for each in outcome.rounds]
        return list(dict.fromkeys(line for one in sets for line in one.failed))

    @property
    def paths(self) -> list[str]:
        """The adapters that were made."""
        return [str(store.find(one.adapter).path) for one in self.outcomes if one.kept]

    @property
    def sheets(self) -> dict[str, list[str]]:
        """By aspect: pictures before and after, and where one was held back those that fell."""
        return {
            outcome.aspect: [str(path) for path in sheet_paths(self.plan, outcome)]
            for outcome in self.outcomes
        }

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        prompts = self.plan.prompts
        return {
            "adapters": [one.adapter for one in self.outcomes if one.kept],
            "kind": KIND,
            "base": self.plan.base.title,
            "prompts": len(prompts.training),
            "held_out": len(prompts.held_out),
            **self.choices.result(),
            "aspects": [outcome.result() for outcome in self.outcomes],
            "sheets": self.sheets,
            "failed": self.failed,
            "run": str(self.plan.run.path),
        }

    def note(self) -> str:
        """For people."""
        notes = [outcome.note() for outcome in self.outcomes]
        made = [one.adapter for one in self.outcomes if one.kept]
        use = f'use it: stickerforge generate "a cat" --adapter {made[0]}' if made else ""
        return "; ".join(filter(None, [*notes, use]))

    def error(self) -> StickerforgeError | None:
        """Exit code 4 where the guard held some adapters back, 5 where it did so with all."""
        held = [outcome for outcome in self.outcomes if not outcome.kept]
        if not held:
            return None
        lines = [
            f"{one.adapter!r} lowers {', '.join(one.shown.lowered)}, see"
            f" {sheet_paths(self.plan, one)[-1]}"
            for one in held
        ]
        kind = PartlyDone if len(held) < len(self.outcomes) else CheckFailed
        return kind(
            f"not made adapters: {'; '.join(lines)}",
            "--force with fewer --steps, a lower --lr or a larger guard.loss starts over",
        )


def sheet_paths(plan: RewardPlan, outcome: AspectOutcome) -> list[Path]:
    """The sheets of an outcome: before and after; of one that was held back also what fell."""
    folder = plan.run.path / "sheets"
    names = [f"{outcome.aspect}.png"] + ([] if outcome.kept else [f"{outcome.aspect}-lowered.png"])
    return [folder / name for name in names]


def write_report(result: RewardResult) -> None:
    """Write the sheets, and the figures as JSON.

    Raises:
        EnvironmentFault: the disk is full.
    """
    make_folder(result.plan.run.path / "sheets")
    for outcome in result.outcomes:
        files = sheet_paths(result.plan, outcome)
        own = outcome.shown.changes[outcome.aspect]
        write_sheet(files[0], result.base, outcome.shown.after, first_pictures(result.base), own)
        if not outcome.kept:
            name = outcome.shown.lowered[0]
            change = outcome.shown.changes[name]
            worst = [(pair.prompt, pair.seed) for pair in change.worst]
            write_sheet(files[1], result.base, outcome.shown.after, worst, change)
    content = json.dumps(result.result(), indent=1) + "\n"
    write_whole(result.plan.run.path / REPORT, content.encode())


def save_adapter(plan: RewardPlan, outcome: AspectOutcome, settings: str) -> store.Adapter:
    """Write the adapter of an outcome that was kept, and with it the settings of its run.

    Args:
        settings: digest of what decided it.

    Raises:
        EnvironmentFault: the disk is full.
    """
    kept, training = outcome.kept, plan.config.training
    assert kept is not None
    adapter = store.save(
        outcome.adapter,
        LORA.read(read_file(kept.file)),
        kind=KIND,
        base=plan.base,
        tokens={},
        phrase="",
        made={
            "objective": "best of several",
            "aspect": outcome.aspect,
            "round": kept.number,
            "steps": training.steps,
            "batch": training.batch,
            "rank": training.rank,
            "layers": "blocks",
            "resolution": training.resolution,
            "seed": plan.config.seed,
            "pictures": len(kept.selection.chosen),
            "threshold": kept.selection.threshold,
            "settings": settings,
            "figures": {name: round(one.mean, 6) for name, one in kept.changes.items()},
            "versions": versions(),
        },
    )
    with locked(store.lock_file(outcome.adapter), wait=True):
        content = read_bounded(plan.run.config, MAX_BYTES)
        write_whole(adapter.path.with_name(plan.run.config.name), content)
    return adapter
