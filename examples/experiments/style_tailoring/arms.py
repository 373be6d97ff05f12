"""The arms: which adapter each is, and its training.

Shared by all: steps, batch, rank and learning rate. The two seeds share pictures and decide the
initial weights and every draw of the training.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from stickerforge.adapters import store
from stickerforge.commands import tailor_style as command
from stickerforge.config.resolve import resolve
from stickerforge.config.schema import TailorStyleConfig
from stickerforge.data.captioned_pictures import read_captioned_pictures
from stickerforge.runtime.console import Console
from stickerforge.training.style_data import StyleData
from stickerforge.training.style_plan import plan_style_training
from stickerforge.training.tailor_style import tailor_style

TRAINED = ("content", "style", "sequential", "mixed", "reversed", "joint")
ARMS = ("prompt", "domain", *TRAINED)
PHRASE = "black and white, high contrast, line icon"


@dataclass(frozen=True)
class Training:
    """What all arms share."""

    steps: int = 200
    batch: int = 8
    rank: int = 32
    lr: float = 1e-3
    threshold: float = -4.244

    def settings(self, seed: int) -> dict[str, object]:
        """By dotted name."""
        return {
            "seed": seed,
            "device": "cpu",
            "training.steps": self.steps,
            "training.batch": self.batch,
            "training.rank": self.rank,
            "training.lr": self.lr,
            "joint.threshold": self.threshold,
            "validation.every": 0,
        }


def model_name(seed: int) -> str:
    """Of the tailored model of a seed."""
    return f"house{seed}"


def adapter_of(arm: str, seed: int) -> str:
    """The adapter of an arm; "" for the base and the arm that has none of its own."""
    if arm in ("base", "prompt"):
        return ""
    return model_name(seed) if arm == "joint" else f"{model_name(seed)}-{arm}"


def train_domain(table: Path, seed: int, training: Training) -> str:
    """Train the domain stage on a table of pictures; its adapter's name."""
    name, console = adapter_of("domain", seed), Console(quiet=True)
    if store.exists(name):
        return name
    given = {"name": model_name(seed), "stage": "domain"}
    config = resolve(TailorStyleConfig, training.settings(seed), given)
    plan = plan_style_training(config, console, offline=True, force=True, resume=False)
    plan = replace(plan, arm="domain", name=name)
    data = StyleData({"content": read_captioned_pictures(table)})
    with plan.run.lock():
        tailor_style(plan, data, console, offline=True, force=True, resume=False)
    return name


def train_arm(arm: str, seed: int, training: Training, name: str = "") -> str:
    """Train an arm from the domain stage, unless it is there; its adapter's name.

    Args:
        name: of another tailored model, for other settings.
    """
    adapter = adapter_of(arm, seed)
    if not store.exists(adapter):
        settings = training.settings(seed) | {"arm": arm}
        command.tailor_style(name or model_name(seed), settings=settings, force=True)
    return adapter
