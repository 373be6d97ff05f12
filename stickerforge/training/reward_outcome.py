"""What came of each aspect of a run of `tailor reward`, and of the mixture of its LoRAs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stickerforge.adapters import store
from stickerforge.training.reward_guard import Change
from stickerforge.training.reward_rounds import Round
from stickerforge.training.scored_pictures import ScoredSet


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

    @property
    def lessons(self) -> list[Round]:
        """The rounds that the saved weights come from; none where the guard held them back."""
        return [each for each in self.rounds if self.kept and each.number <= self.kept.number]

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
        verb = "made" if self.kept else "held back"
        return f"{verb} {self.adapter!r}{noise}: {describe_all(self.shown.changes)}"


@dataclass(frozen=True)
class MixtureOutcome:
    """What came of the mixture.

    Args:
        after: the held-out prompts as they are drawn with it.
        changes: of every aspect from the base to the mixture.
        lowered: aspects by which a LoRA would not have been kept; the mixture is there all the
            same, as people compare it with its parents.
    """

    adapter: store.Adapter
    after: ScoredSet
    changes: dict[str, Change]
    lowered: list[str]

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        return {
            "adapter": self.adapter.name,
            **self.adapter.locations(),
            "sha256": self.adapter.sha256,
            "parents": [parent["name"] for parent in self.adapter.parents],
            "pictures": self.adapter.made["pictures"],
            "figures": self.adapter.made["figures"],
            "changes": {name: change.result() for name, change in self.changes.items()},
            "lowered": self.lowered,
        }

    def note(self) -> str:
        """For people."""
        parents = " and ".join(parent["name"] for parent in self.adapter.parents)
        return f"made {self.adapter.name!r}, a mixture of {parents}: {describe_all(self.changes)}"


def describe_all(changes: Mapping[str, Change]) -> str:
    """Changes for people, each with its interval."""
    return ", ".join(f"{name} {describe(change)}" for name, change in changes.items())


def describe(change: Change) -> str:
    """A change for people, with its interval."""
    ends = f" ({change.low:+.3f} to {change.high:+.3f})" if change.low is not None else ""
    return f"{change.mean:+.3f}{ends}"
