"""What a metric is: its declaration, what it is computed from, and the registry of all."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from stickerforge.errors import InputError, nearest
from stickerforge.evaluation.features import ImageFeatures
from stickerforge.evaluation.prompt_matching import TargetPrompt
from stickerforge.runtime.console import Console

if TYPE_CHECKING:
    from stickerforge.evaluation.reward_models import RewardModels
    from stickerforge.models.encoders import Encoder

T = TypeVar("T")
Better = Literal["higher", "lower", ""]
# One value per picture, (N,), NaN where a picture has none; or one per prompt, by its key; or one
# of the whole set; or None, where this call holds nothing to compute it from.
Values = NDArray[np.float64] | Mapping[str, float] | float | None
WEIGHTS = "--reward with its weights"
NEEDS = {  # what a metric can need: how the user gives it
    "prompt": "prompts, and an encoder that reads text",
    "reference": "--reference",
    "style_reference": "--style-reference",
    "baseline": "--baseline",
}


class NotMeasured(Exception):
    """Why a metric that could be had in other calls cannot be had in this one, for the report."""


@dataclass
class MetricInput:
    """What metrics are computed from.

    Args:
        sets: features of the "pictures", and of those that were given of "reference",
            "style_reference" and "baseline".
        targets: what each of the "pictures", and of the "baseline", was to show.
        models: the models of --reward, by kind.
        allow_small: whether distances are given even of sets that are too small for them.
        failed: a line for each picture that cannot be read; metrics that read one again add theirs.
    """

    sets: Mapping[str, Sequence[ImageFeatures]]
    targets: Mapping[str, Sequence[TargetPrompt]]
    encoder: "Encoder"
    models: "RewardModels"
    console: Console
    allow_small: bool = False
    failed: list[str] = field(default_factory=list)
    results: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def pictures(self) -> Sequence[ImageFeatures]:
        """The pictures that are measured, N of them."""
        return self.sets["pictures"]

    @property
    def texts(self) -> list[str]:
        """The prompt of each picture, "" where none is known."""
        return [target.text for target in self.targets["pictures"]]

    @property
    def keys(self) -> list[str]:
        """What pictures of one prompt have in common, for each picture."""
        return [target.key for target in self.targets["pictures"]]

    @property
    def baseline_keys(self) -> list[str]:
        """The same for each picture of the baseline."""
        return [target.key for target in self.targets.get("baseline", [])]

    @property
    def shared_keys(self) -> list[str]:
        """The prompts that the pictures and the baseline share, in the order of the pictures."""
        theirs = set(self.baseline_keys)
        return [key for key in dict.fromkeys(self.keys) if key in theirs]

    @property
    def given(self) -> set[str]:
        """What metrics can need, as far as this call has it."""
        prompts = {"prompt"} if any(self.texts) else set()
        return set(self.sets) | prompts | set(self.models.places)

    def features(self, role: str = "pictures") -> NDArray[np.float32]:
        """Unit features of the pictures of a set, over white, (N, D)."""
        return np.stack([item.full for item in self.sets[role]])

    def foregrounds(self, role: str = "pictures") -> NDArray[np.float32]:
        """Unit features of their foregrounds, cut to the box and over grey, (N, D)."""
        return np.stack([item.foreground for item in self.sets[role]])

    def of_baseline(self) -> "MetricInput":
        """The same with the baseline's pictures in place of the pictures."""
        sets = {role: items for role, items in self.sets.items() if role != "baseline"}
        return replace(
            self,
            sets=sets | {"pictures": self.sets["baseline"]},
            targets={"pictures": self.targets["baseline"]},
            results={},
        )

    def once(self, compute: "Callable[[MetricInput], T]") -> T:
        """What a function makes of this input; computed once, however many metrics need it."""
        if compute not in self.results:
            self.results[compute] = compute(self)
        value: T = self.results[compute]
        return value


Compute = Callable[[MetricInput], Values]


@dataclass(frozen=True)
class Metric:
    """One kind of score.

    Args:
        group: what --metrics calls it by, together with others.
        better: "" where neither is.
        about: what it says, for the report.
        unit: "" for shares and cosines.
        needs: names of `NEEDS` without which it cannot be computed.
        weights: the kind of --reward whose weights it needs, or "".
        encoded: whether its name carries that of the model whose features it is made of.
        passes: whether each picture passes, 1, or fails, 0.
        paired: whether it is compared with the baseline, prompt by prompt.
        per_image: whether the report holds its value of each picture.
        axis: whether the plot of a page may begin with it: such as pull against each other.
        variant: beside the weights, what two scores must share to be compared with each other.
        compute: the declared function.
    """

    name: str
    group: str
    better: Better
    about: str
    unit: str
    needs: tuple[str, ...]
    weights: str
    encoded: bool
    passes: bool
    paired: bool
    per_image: bool
    axis: bool
    variant: str
    compute: Compute


METRICS: dict[str, Metric] = {}  # by name, in the order of reports
C = TypeVar("C", bound=Compute)


def metric(
    name: str,
    *,
    group: str,
    better: Better,
    about: str,
    unit: str = "",
    needs: tuple[str, ...] = (),
    weights: str = "",
    encoded: bool = False,
    passes: bool = False,
    paired: bool = False,
    per_image: bool = True,
    axis: bool = False,
    variant: str = "",
) -> Callable[[C], C]:
    """Declare the metric that the decorated function computes; see `Metric`."""
    assert name not in METRICS and set(needs) <= set(NEEDS), name

    def register(compute: C) -> C:
        METRICS[name] = Metric(
            name,
            group,
            better,
            about,
            unit,
            needs,
            weights,
            encoded,
            passes,
            paired,
            per_image,
            axis,
            variant,
            compute,
        )
        return compute

    return register


def metric_of(score: str) -> Metric:
    """What a score of this name ("alignment@judge") measures.

    Raises:
        KeyError: nothing is called that.
    """
    return METRICS[score.partition("@")[0]]


def groups() -> list[str]:
    """The groups, in the order of reports."""
    return list(dict.fromkeys(item.group for item in METRICS.values()))


def select_metrics(selection: Sequence[str]) -> set[str]:
    """The metrics that --metrics means: names, or groups of them; all without.

    Raises:
        InputError: something is neither.
    """
    selected: set[str] = set()
    for name in (part.strip() for text in selection for part in text.split(",") if part.strip()):
        if name not in METRICS and name not in groups():
            hint = nearest(name, [*groups(), *METRICS], f"groups are {', '.join(groups())}")
            raise InputError(f"unknown metric {name!r}", hint)
        members = {item.name for item in METRICS.values() if item.group == name}
        selected |= {name} if name in METRICS else members
    return selected or set(METRICS)


def missing_need(item: Metric, given: Collection[str]) -> str:
    """How the user would give what a metric needs and does not have, or "".

    Args:
        given: names of `NEEDS`, and kinds of --reward.
    """
    if item.weights and item.weights not in given:
        return WEIGHTS
    return next((NEEDS[need] for need in item.needs if need not in given), "")
