# ruff: noqa: E402 - the modules of the other examples are found once their folders are on the path
"""The claims of Direct Consistency Optimization (arXiv:2402.12004), as experiments on sticker-mini.

python examples/claims/dco.py choose             settings of every arm, on four development subjects
python examples/claims/dco.py pareto             (a) likeness against prompt fit, over length and consistency weight, twelve test subjects
python examples/claims/dco.py merge              (b) subject and style together, six subjects by four styles
python examples/claims/dco.py deviation          (c) how far the model moves from its base, over beta
python examples/claims/dco.py draws              what kept draws of the base's errors cost in quality

Arms: dco; plain (ordinary LoRA training); prior (plain, with pictures of the class). `choose` gives each the same number of trials and
the same steps; `pareto` and `merge` take what it chose and run every test subject once. The lists are those of
../bench/protocols.py, fixed by hash; a subject is taught from three styles and asked for in the fourth and in ten scenes. Measured by
`judge`, from which nothing here learned: likeness is the mean cosine with the references, fit that with the prompt in plain words.
An arm lies above another where its reach is larger: the largest share * likeness + (1 - share) * fit of its points, for shares of
a quarter, a half and three quarters. Intervals are of the bootstrap over subjects. What is done is kept in --out, so an interrupted
call goes on. Needs the art of examples/mini (fetch.py, art.py, judge_pictures.py).
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

EXAMPLES = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(EXAMPLES / "mini"), str(EXAMPLES / "bench"), str(EXAMPLES / "claims")]

from protocols import DRAWINGS, MADE_UP, MERGED, held_out
from protocols import learned as known_subjects
from teaching import (
    Lesson,
    asked,
    changed,
    drawn,
    fresh,
    items_of,
    judge,
    learned,
    measured,
    prior_of,
    style_lesson,
    subject_lesson,
)  # fmt: skip

from art import Subject
from stickerforge.adapters.lora import concatenated
from stickerforge.evaluation.intervals import RESAMPLES
from stickerforge.models.catalog import located
from stickerforge.models.weights import fingerprint
from stickerforge.training.course import Course
from stickerforge.training.customizing import ADAPTER
from stickerforge.training.examples import drawn as draw_of
from world import World, world

STEPS, EVERY = 300, 75  # the length axis: 75, 150, 225, 300
WEIGHTS = (2.0, 3.0, 4.0, 5.0)  # of consistency guidance, at the last length
SHARES = (0.25, 0.5, 0.75)
COURSE = Course(
    steps=STEPS, batch=4, rank=16, layers="all", rate=2e-3, token_rate=1e-2, beta=8.0, objective="dco", offset_noise=0.0, seed=0,
    weight_decay=1e-4, clip=1.0, save_every=STEPS,
)  # fmt: skip
TRIALS: dict[str, list[dict[str, Any]]] = {
    "dco": [{"objective": "dco", "rate": rate, "beta": beta} for rate in (1e-3, 2e-3, 4e-3) for beta in (4.0, 16.0)],
    "plain": [{"objective": "plain", "rate": rate} for rate in (1.25e-4, 2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3)],
    "prior": [{"objective": "plain", "rate": rate, "prior_weight": weight} for rate in (5e-4, 1e-3, 2e-3) for weight in (0.5, 1.0)],
}
Point = dict[str, Any]  # one point of an arm's curve: steps, weight, likeness, fit


class Kept:
    """Results by key, in a file that grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        """What is known, or what is made now."""
        if key not in self.known:
            started = time.monotonic()
            self.known[key] = make()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(self.known, indent=1) + "\n")
            print(f"{key}: {time.monotonic() - started:.0f} s", flush=True)
        return self.known[key]


def curve(scenes: World, subject: Subject, held: int, settings: dict[str, Any], weights: Sequence[float]) -> list[Point]:
    """Teach a subject, and measure it at every length; at the last one with consistency guidance too."""
    family = fresh()
    lesson = subject_lesson(family, scenes, subject, held)
    wanted = asked(items_of(scenes, subject, held), lesson)
    prior = prior_of(family, lesson.words) if settings.get("prior_weight") else []
    points: list[Point] = []

    def look(steps: int) -> None:
        for weight in (None, *(weights if steps == STEPS else ())):
            pictures = drawn(family, wanted, weight)
            points.append({"steps": steps, "weight": weight} | measured(pictures, lesson, [plain for _, plain, _ in wanted]))

    learned(family, lesson, changed(COURSE, settings), look, EVERY, prior)
    return points


def reach(points: Sequence[Point], share: float) -> float:
    """How far an arm comes in one direction between likeness and fit."""
    return max(share * point["likeness"] + (1 - share) * point["fit"] for point in points)


def choose(kept: Kept, scenes: World, subjects: Sequence[Subject]) -> dict[str, dict[str, Any]]:
    """The settings of every arm with the largest mean reach (share one half) on the development subjects."""
    best = {}
    for arm, trials in TRIALS.items():
        scores = []
        for number, settings in enumerate(trials):
            curves = [
                kept.get(f"choose {arm} {number} {subject.name}", lambda s=subject, h=held, c=settings: curve(scenes, s, h % 4, c, ()))
                for held, subject in enumerate(subjects)
            ]
            scores.append(float(np.mean([reach(points, 0.5) for points in curves])))
            print(f"{arm:6} {settings} reach {scores[-1]:.4f}", flush=True)
        best[arm] = trials[int(np.argmax(scores))]
    print("chosen:", json.dumps(best))
    return best


def between(values: NDArray[np.float64]) -> str:
    """A mean with its 95 % interval over subjects (N,)."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{values.mean():+.4f} ({low:+.4f} to {high:+.4f})"


def pareto(kept: Kept, scenes: World, subjects: Sequence[Subject], best: dict[str, dict[str, Any]]) -> None:
    """(a) Every arm's curve, and dco's reach against the others'."""
    curves = {
        arm: [
            kept.get(f"pareto {arm} {subject.name}", lambda s=subject, h=held, a=arm: curve(scenes, s, h % 4, best[a], WEIGHTS))
            for held, subject in enumerate(subjects)
        ]
        for arm in TRIALS
    }
    for arm, per_subject in curves.items():
        for points in zip(*per_subject, strict=True):
            place = f"{points[0]['steps']} steps" + (f", consistency {points[0]['weight']:g}" if points[0]["weight"] is not None else "")
            means = {name: float(np.mean([point[name] for point in points])) for name in ("likeness", "fit")}
            print(f"{arm:6} {place:28} likeness {means['likeness']:.4f}  fit {means['fit']:.4f}")
    for share in SHARES:
        reaches = {arm: np.array([reach(points, share) for points in per_subject]) for arm, per_subject in curves.items()}
        for other in ("plain", "prior"):
            print(f"reach at {share}: dco - {other} = {between(reaches['dco'] - reaches[other])}")


def merge(kept: Kept, scenes: World, subjects: Sequence[Subject], best: dict[str, dict[str, Any]]) -> None:
    """(b) Sums of subject and style adapters, both taught by dco or both plainly."""
    rows = {arm: kept.get(f"merge {arm}", lambda a=arm: merged(scenes, subjects[:MERGED], best[a])) for arm in ("dco", "plain")}
    for name in ("subject", "style", "fit"):
        values = {arm: np.array([[row[name] for row in per_style] for per_style in found]).mean(1) for arm, found in rows.items()}
        means = ", ".join(f"{arm} {value.mean():.3f}" for arm, value in values.items())
        print(f"{name:8} {means}; dco - plain = {between(values['dco'] - values['plain'])}")


def merged(scenes: World, subjects: Sequence[Subject], settings: dict[str, Any]) -> list[list[dict[str, float]]]:
    """For each subject and style: is it the subject, is it the style, how well does it fit."""
    style_course = changed(COURSE, settings | {"rank": 64, "rate": settings["rate"] / 2, "prior_weight": 0.0})
    models = known_subjects(scenes)[:DRAWINGS]
    styles = {}
    for name, style in MADE_UP.items():
        family = fresh()
        styles[name] = learned(family, style_lesson(family, scenes, name, style, models), style_course)
    found = []
    for held, subject in enumerate(subjects):
        family = fresh()
        lesson = subject_lesson(family, scenes, subject, held % 4)
        taught = learned(family, lesson, changed(COURSE, settings))
        found.append([in_style(lesson, subject, taught, taught_style, name) for name, taught_style in styles.items()])
    return found


def in_style(lesson: Lesson, subject: Subject, taught: Any, style: Any, name: str) -> dict[str, float]:
    """Four pictures of a subject in a style, by the sum of both adapters."""
    family = fresh()
    family.adapters.attach("both", concatenated([(taught.lora, 1.0), (style.lora, 1.0)]))
    family.adapters.use({"both": 1.0})
    for token, rows in taught.tokens.items():
        family.add_token(token, rows)
    said, plain = f"a {lesson.token}, in {name} style", f"a {lesson.words}, in {MADE_UP[name]} style"
    pictures = drawn(family, [(said, plain, seed) for seed in range(4)])
    seeing = judge().judge
    read = seeing.read(seeing.pictures(pictures))
    label = seeing.labels.index(seeing.label_of[subject.name])
    right = [seeing.styles[k].replace("-", " ") == MADE_UP[name] for k in read.style.argmax(1).tolist()]
    fit = measured(pictures, lesson, [plain] * len(pictures))["fit"]
    return {"subject": float((read.subject.argmax(1) == label).float().mean()), "style": float(np.mean(right)), "fit": fit}


def deviation(kept: Kept, scenes: World, subjects: Sequence[Subject]) -> None:
    """(c) Mean squared difference between the predictions of adapted model and base on the references, over beta."""
    for beta in (1.0, 4.0, 16.0, 64.0, 256.0):
        values = [
            kept.get(f"deviation {beta} {subject.name}", lambda s=subject, h=held, b=beta: moved(scenes, s, h % 4, b))
            for held, subject in enumerate(subjects)
        ]
        print(f"beta {beta:5g}: deviation {np.mean(values):.5f}", *(f"{value:.5f}" for value in values))


def moved(scenes: World, subject: Subject, held: int, beta: float) -> float:
    """Of one subject, under 48 fixed draws."""
    family = fresh()
    lesson = subject_lesson(family, scenes, subject, held)
    learned(family, lesson, changed(COURSE, {"beta": beta}))
    family.adapters.use({ADAPTER: 1.0})
    values = []
    for step in range(12):
        draw = draw_of(lesson.examples, family, seed=99, step=step, batch=4, offset_noise=0.0)
        noisy = family.noised(draw.latents, draw.noise, draw.timesteps)
        with torch.no_grad():
            adapted = family.predict(noisy, draw.timesteps, family.encode_prompt([e.caption.text for e in draw.examples]))
            with family.adapters.off():
                base = family.predict(noisy, draw.timesteps, family.encode_prompt([e.caption.base for e in draw.examples]))
        values.append(float((adapted - base).square().mean()))
    return float(np.mean(values))


def draws(kept: Kept, scenes: World, subjects: Sequence[Subject], settings: dict[str, Any]) -> None:
    """Likeness and fit after the whole length for several numbers of kept draws; 0 asks the base anew in every step."""
    for count in (0, 4, 16, 64, 256):
        points = [
            kept.get(f"draws {count} {s.name}", lambda s=s, h=h, c=count: curve(scenes, s, h % 4, settings | {"draws": c}, ())[-1])
            for h, s in enumerate(subjects)
        ]
        print(f"{count:4} draws", *(f"{name} {np.mean([point[name] for point in points]):.4f}" for name in ("likeness", "fit")))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", choices=("choose", "pareto", "merge", "deviation", "draws"))
    parser.add_argument("--subjects", type=int, default=12, help="test subjects")
    parser.add_argument("--out", type=Path, default=Path("claims"))
    args = parser.parse_args()
    scenes, kept = world("all"), Kept(args.out / f"dco-{fingerprint(located('sticker-mini').folder)}.json")
    development, test = held_out(scenes, "dev", 4), held_out(scenes, "test", args.subjects)
    if args.experiment == "deviation":
        return deviation(kept, scenes, development)
    best = kept.get("chosen", lambda: choose(kept, scenes, development))
    if args.experiment == "pareto":
        pareto(kept, scenes, test, best)
    elif args.experiment == "merge":
        merge(kept, scenes, test, best)
    elif args.experiment == "draws":
        draws(kept, scenes, development, best["dco"])


if __name__ == "__main__":
    main()
