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
from stickerforge.training.reward_outcome import AspectOutcome, MixtureOutcome
from stickerforge.training.reward_plan import MAX_BYTES, RewardPlan
from stickerforge.training.reward_sheets import first_pictures, write_sheet
from stickerforge.training.scored_pictures import ScoredSet
from stickerforge.training.tuning_plan import KIND

REPORT = "report.json"
MIXTURE_SHEET = "mixture.png"  # beside the folder of the others, as an aspect may be so called


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
class RewardResult:
    """What a run came to.

    Args:
        base: the prompts that measure, as the base draws them.
        mixture: of the LoRAs that were kept; None where it is not asked for, or of fewer than two.
    """

    plan: RewardPlan
    choices: Choices
    base: ScoredSet
    outcomes: list[AspectOutcome]
    mixture: MixtureOutcome | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[str]:
        """A line for each picture that could not be drawn or read."""
        sets = [self.choices.candidates, self.base]
        sets += [each.after for outcome in self.outcomes for each in outcome.rounds]
        sets += [self.mixture.after] if self.mixture else []
        return list(dict.fromkeys(line for one in sets for line in one.failed))

    @property
    def paths(self) -> list[str]:
        """The adapters that were made."""
        return [str(store.find(name).path) for name in self.adapters]

    @property
    def adapters(self) -> list[str]:
        """Their names, the mixture last."""
        names = [one.adapter for one in self.outcomes if one.kept]
        return names + ([self.mixture.adapter.name] if self.mixture else [])

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
            "adapters": self.adapters,
            "kind": KIND,
            "base": self.plan.base.title,
            "prompts": len(prompts.training),
            "held_out": len(prompts.held_out),
            **self.choices.result(),
            "aspects": [outcome.result() for outcome in self.outcomes],
            "mixture": self.mixture.result() if self.mixture else None,
            "sheets": self.sheets,
            "failed": self.failed,
            "run": str(self.plan.run.path),
        }

    def note(self) -> str:
        """For people."""
        notes = [outcome.note() for outcome in self.outcomes]
        if self.mixture:
            notes.append(self.mixture.note())
        elif self.plan.has_mixture:
            notes.append("no mixture, as fewer than two LoRAs were kept")
        best = self.adapters[-1 if self.mixture else 0] if self.adapters else ""
        use = f'use it: stickerforge generate "a cat" --adapter {best}' if best else ""
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
    file = result.plan.run.path / MIXTURE_SHEET
    file.unlink(missing_ok=True)
    if result.mixture:
        change, after = next(iter(result.mixture.changes.values())), result.mixture.after
        write_sheet(file, result.base, after, first_pictures(result.base), change)
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
