"""What all experiments on DCO share: subjects, scales, cached results."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import examples
import stickerforge
from examples.experiments.bench.protocol_items import held_out_subjects
from examples.experiments.dco.arms import CONFIG, TIMES
from examples.experiments.dco.concepts import CLASS_IMAGES, with_settings
from examples.experiments.dco.measurements import Case, Checkpoints, scale_ends, training_curve
from examples.experiments.dco.result_cache import ResultCache, Task
from examples.recipes.mini.art import Subject
from examples.recipes.mini.settings import STYLES
from examples.recipes.mini.world import World
from stickerforge.models.checksums import fingerprint
from stickerforge.models.judge.model import load_judge
from stickerforge.models.registry import find_model

SOURCES = (
    *(f"experiments/dco/{name}.py" for name in ("concepts", "images", "measurements", "scores")),
    "experiments/bench/bench_images.py",
    "experiments/bench/bench_items.py",
    "experiments/bench/protocol_items.py",
    "experiments/bench/sticker_bench.py",
    *(
        f"recipes/mini/{name}.py"
        for name in ("art", "backgrounds", "captions", "scene", "settings")
    ),
    *(f"recipes/mini/{name}.py" for name in ("sprites", "vocabulary", "world")),
)
PACKAGES = ("training", "objectives", "sampling", "models", "adapters")  # of stickerforge


def result_context() -> dict[str, Any]:
    """What decides every result.

    The model, its settings, the judges, and the code that makes and measures.
    """
    package = Path(stickerforge.__file__).parent
    files = [Path(examples.__file__).parent / name for name in SOURCES]
    files += sorted(path for part in PACKAGES for path in (package / part).rglob("*.py"))
    code = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    model = find_model("sticker-mini")
    judges = [load_judge(name).sha256 for name in ("judge", "second")]
    return {
        "model": fingerprint(model.folder),
        "sampling": model.sampling,
        "judges": judges,
        "code": code,
    }


def guidance() -> float:
    """The model's own scale."""
    return float(find_model("sticker-mini").sampling["guidance"])


def test_cases(subjects: Sequence[Subject]) -> list[Case]:
    """Each with the style that it is not shown in, which rotates."""
    return [Case(subject, number % len(STYLES), TIMES) for number, subject in enumerate(subjects)]


def case_key(case: Case) -> dict[str, Any]:
    """A case for the key of its result."""
    return {"subject": case.subject.name, "held": case.held, "times": case.times}


class Experiment:
    """What all experiments share: scenes, results, subjects.

    Args:
        test: how many of the twelve test subjects.
    """

    def __init__(self, scenes: World, results: ResultCache, test: int) -> None:
        self.scenes, self.results = scenes, results
        self.development, self.test = (
            held_out_subjects(scenes, "dev", 4),
            held_out_subjects(scenes, "test", 12)[:test],
        )
        self.others = held_out_subjects(scenes, "test", 18)[12:]  # neither of the lists

    def ends(self, name: str, subjects: Sequence[Subject]) -> list[Any]:
        """Both ends of the scales for each subject, as a judge sees them."""
        judge = load_judge(name)  # type: ignore[arg-type]
        return self.results.all(
            Task(
                f"ends {name} {c.subject.name}",
                case_key(c),
                lambda c=c: scale_ends(self.scenes, c, judge),
            )
            for c in test_cases(subjects)
        )

    def curve(
        self, name: str, case: Case, settings: Mapping[str, Any], checkpoints: Checkpoints
    ) -> Task:
        """The rows of one subject."""
        config, judge = with_settings(CONFIG, settings), load_judge(name)  # type: ignore[arg-type]
        label = " ".join(f"{key}={value}" for key, value in settings.items())
        decides = case_key(case) | {
            "config": asdict(config),
            "checkpoints": checkpoints,
            "prior": CLASS_IMAGES,
        }
        return Task(
            f"{name} {case.subject.name} {label}",
            decides,
            lambda: training_curve(self.scenes, case, config, judge, checkpoints),
        )

    def clouds(
        self,
        name: str,
        subjects: Sequence[Subject],
        many: Sequence[Mapping[str, Any]],
        checkpoints: Checkpoints,
    ) -> NDArray[np.float64]:
        """(settings, subjects, points, 2): likeness and fit on their scales.

        Not numbers where a subject diverged.
        """
        both = self.ends(name, subjects)
        rows = self.results.all(
            self.curve(name, case, settings, checkpoints)
            for settings in many
            for case in test_cases(subjects)
        )
        bottom, top = (
            np.array([np.mean(each[end]["likeness"]) for each in both]) for end in ("base", "real")
        )
        real_fit = np.mean([np.mean(each["real"]["fit"]) for each in both])
        result = np.full(
            (
                len(many),
                len(subjects),
                sum(1 + len(weights) for weights in checkpoints.values()),
                2,
            ),
            np.nan,
        )
        for number, those in enumerate(rows):
            setting, subject = divmod(number, len(subjects))
            for point, row in enumerate(those):
                likeness = (np.mean(row["likeness"]) - bottom[subject]) / np.mean(top - bottom)
                result[setting, subject, point] = likeness, np.mean(row["fit"]) / real_fit
        return result
