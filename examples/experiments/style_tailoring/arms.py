"""The arms: which adapter each is, and its training.

Shared by all: steps, batch, rank and learning rate. The two seeds share pictures and decide the
initial weights and every draw of the training.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from stickerforge.adapters import store
from stickerforge.config.resolve import resolve
from stickerforge.config.schema import TailorStyleConfig
from stickerforge.data.captioned_pictures import read_captioned_pictures
from stickerforge.runtime.console import Console
from stickerforge.training.style_data import StyleData, read_sets
from stickerforge.training.style_plan import StylePlan, plan_style_training
from stickerforge.training.tailor_style import tailor_style

TRAINED = ("content", "style", "sequential", "mixed", "reversed", "joint")
ARMS = ("prompt", "domain", *TRAINED)


@dataclass(frozen=True)
class Variant:
    """An arm with another setting.

    Args:
        rule: the arm whose rule it follows.
        threshold: log(SNR); None for that of all arms.
        start: the arm that it goes on from for as many steps more; "" for the domain stage.
        scenes: whether the style set has numbers and pairs, too.
    """

    rule: str
    threshold: float | None = None
    start: str = ""
    scenes: bool = False


VARIANTS = {
    "joint -8": Variant("joint", -8.0),
    "mixed -8": Variant("mixed", -8.0),
    "joint -8 scenes": Variant("joint", -8.0, scenes=True),
    "style scenes": Variant("style", scenes=True),
    "style twice": Variant("style", None, "style"),
}
QUIET = Console(quiet=True)
# What is added to prompts; the second in words that sticker-mini knows, for its nearest style.
PHRASES = {"prompt": "black and white, high contrast, line icon", "prompt flat": "flat style"}


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


def model_name(seed: int, *, scenes: bool = False) -> str:
    """Of the tailored model of a seed; of the one whose style set has scenes."""
    return f"scenes{seed}" if scenes else f"house{seed}"


def adapter_of(arm: str, seed: int) -> str:
    """The adapter of an arm; "" for the base and the arm that has none of its own."""
    if arm == "base" or arm in PHRASES:
        return ""
    return (
        model_name(seed)
        if arm == "joint"
        else f"{model_name(seed)}-{arm.replace(' -', '-at-').replace(' ', '-')}"
    )


def train_domain(table: Path, seed: int, training: Training) -> str:
    """Train the domain stage on a table of pictures; its adapter's name."""
    name = adapter_of("domain", seed)
    if not store.exists(name):
        data = StyleData({"domain": read_captioned_pictures(table)})
        plan = plan_training("domain", seed, training, name)
        with plan.run.lock():
            tailor_style(plan, data, QUIET, offline=True, force=True, resume=False)
    return name


def train_arm(arm: str, seed: int, training: Training) -> str:
    """Train an arm from the domain stage, unless it is there; its adapter's name."""
    name = adapter_of(arm, seed)
    if not store.exists(name):
        own = VARIANTS.get(arm, Variant(arm))
        if own.threshold is not None:
            training = replace(training, threshold=own.threshold)
        plan = plan_training(own.rule, seed, training, name)
        if own.start:
            plan = replace(plan, start=store.find(adapter_of(own.start, seed)))
        data = read_sets(plan, model_name(seed, scenes=own.scenes), QUIET)
        with plan.run.lock():
            tailor_style(plan, data, QUIET, offline=True, force=True, resume=False)
    return name


def plan_training(arm: str, seed: int, training: Training, name: str) -> StylePlan:
    """What `tailor style` would do, under another name."""
    given = {"name": model_name(seed)}
    given |= {"stage": "domain"} if arm == "domain" else {"arm": arm}
    config = resolve(TailorStyleConfig, training.settings(seed), given)
    plan = plan_style_training(config, QUIET, offline=True, force=True, resume=False)
    return replace(plan, name=name)
