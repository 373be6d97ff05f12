"""What a training of `tailor style` came to, for people and for the JSON."""

from dataclasses import dataclass, field
from typing import Any

from stickerforge.runtime.text import plural
from stickerforge.training.style_data import StyleData
from stickerforge.training.style_plan import StylePlan
from stickerforge.training.tuning_result import Tuning


@dataclass(frozen=True)
class StyleResult:
    """What a training came to.

    Args:
        data: what was trained on.
        report: the page that shows what filters took out; "" where there were none.
    """

    plan: StylePlan
    tuning: Tuning
    data: StyleData
    report: str = ""
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
            "report": self.report or None,
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
