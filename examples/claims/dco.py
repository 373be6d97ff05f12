# ruff: noqa: E402 - the modules of the other examples are found once their folders are on the path
"""The claims of Direct Consistency Optimization (arXiv:2402.12004), as experiments on sticker-mini.

python examples/claims/dco.py choose             settings of every arm, on four development subjects
python examples/claims/dco.py pareto             (a) likeness against prompt fit, over length and consistency weight, twelve test subjects
python examples/claims/dco.py merge              (b) subject and style together, six subjects by four styles
python examples/claims/dco.py deviation          (c) how far the model moves from its base, over beta
python examples/claims/dco.py draws              what kept draws of the base's errors cost in quality

Arms: dco; plain (ordinary LoRA training); prior (plain, with pictures of the class). Each is given four trials of the same length on the
development subjects, the same rates and one more setting of its own, and the second judge chooses; test subjects are run once, with
what was chosen, and the first judge measures. The lists are those of ../bench/protocols.py, fixed by hash. A subject is taught from
three styles, by a class word that the model knows, and asked for in the fourth style and in ten scenes.

Likeness is the mean cosine with the references; 0 is what the untaught base draws for the same prompts, 1 real renders of them. Fit is the
share of what the prompt asks for beside the subject (style, colour, number, what is worn, the other thing), over that of real renders. An
arm lies above another where its points dominate a larger area. Intervals are of the bootstrap over subjects. What is done is
kept in --out, so an interrupted call goes on; the same call once per core, each with OMP_NUM_THREADS=1, shares the work. Needs the
art of examples/mini (fetch.py, art.py, judge_pictures.py).
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

EXAMPLES = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(EXAMPLES / "mini"), str(EXAMPLES / "bench"), str(EXAMPLES / "claims")]

from frontier import Points, lead, second_at
from kept import Kept, Task
from protocols import DRAWINGS, MADE_UP, MERGED, held_out, real, ten_scenes
from protocols import learned as known_subjects
from sticker_bench import Item
from teaching import (
    PRIOR,
    Lesson,
    asked,
    changed,
    drawn,
    fresh,
    items_of,
    learned,
    measured,
    prior_of,
    style_lesson,
    subject_lesson,
)

from art import Subject
from settings import STYLES
from stickerforge.adapters.lora import concatenated
from stickerforge.errors import InputError
from stickerforge.evaluation.intervals import paired
from stickerforge.models.catalog import located
from stickerforge.models.judges import Judging, judging
from stickerforge.training.course import Course
from stickerforge.training.customizing import ADAPTER
from stickerforge.training.examples import drawn as draw_of
from world import World, dice, world

EVERY, LENGTHS, STEPS = 75, (75, 150), 300  # the length axis: 75, 150, 300
CHOOSING = 150  # steps after which the settings of the arms are compared
SHARES_LED = (0.25, 0.5, 0.75)  # weights of consistency guidance at the end, in shares of the guidance scale
TIMES = 2  # pictures per prompt of what is reported; half of them for choosing
COURSE = Course(
    steps=STEPS, batch=4, rank=16, layers="all", rate=2e-3, token_rate=1e-2, beta=8.0, objective="dco", offset_noise=0.0, seed=0,
    weight_decay=1e-4, clip=1.0, save_every=STEPS,
)  # fmt: skip
RATES = (1e-3, 2e-3)
TRIALS: dict[str, list[dict[str, Any]]] = {
    "dco": [{"objective": "dco", "rate": rate, "beta": beta} for rate in RATES for beta in (1.0, 4.0)],
    "plain": [{"objective": "plain", "rate": rate, "token_rate": token} for rate in RATES for token in (1e-3, 1e-2)],
    "prior": [{"objective": "plain", "rate": rate, "prior_weight": weight} for rate in RATES for weight in (0.5, 1.0)],
}
BETAS = (1.0, 8.0, 64.0, 512.0)
MOVED = 60  # steps after which the deviation is measured
KEPT_DRAWS = (0, 16, 64)
Looks = Mapping[int, Sequence[float]]  # {steps: weights of consistency guidance there}
Row = dict[str, Any]  # one point of one subject: steps, weight, and lists of likeness and fit


def guidance() -> float:
    """The model's own scale."""
    return float(located("sticker-mini").sampling["guidance"])


def course_of(subject: Subject, settings: Mapping[str, Any]) -> Course:
    """The course with settings of an arm; the seed is the subject's own."""
    return changed(COURSE, {"seed": dice(f"claims|{subject.name}") % 2**31} | dict(settings))


def curve(scenes: World, subject: Subject, held: int, course: Course, judge: Judging, looks: Looks, times: int) -> Any:
    """Teach a subject and measure it on the way; "diverged" where it cannot be taught so.

    Args:
        looks: {steps: weights of consistency guidance there}, beside the adapter by itself.
    """
    family, items = fresh(), items_of(scenes, subject, held, times)
    lesson = subject_lesson(family, scenes, subject, held)
    wanted, rows = asked(items, lesson), []

    def look(steps: int) -> None:
        for weight in (None, *looks[steps]) if steps in looks else ():
            told = measured(drawn(family, wanted, weight), lesson, items, judge)
            rows.append({"steps": steps, "weight": weight} | told)

    try:
        learned(family, lesson, course, look, EVERY, prior_of(lesson.words) if course.prior_weight else [])
    except InputError as error:
        return {"diverged": str(error)}
    return rows


def ends(scenes: World, subject: Subject, held: int, judge: Judging, times: int) -> Any:
    """What the untaught base draws for the same prompts, and real renders: both ends of the scales."""
    family, items = fresh(), items_of(scenes, subject, held, times)
    lesson = subject_lesson(family, scenes, subject, held)
    base = drawn(family, [(plain, plain, seed) for _, plain, seed in asked(items, lesson)])
    return {
        "base": measured(base, lesson, items, judge),
        "real": measured([real(item, scenes) for item in items], lesson, items, judge),
    }


def scaled(rows: Sequence[Row], both: Mapping[str, Mapping[str, Sequence[float]]]) -> Points:
    """(P, 2): likeness with the base at 0 and real renders at 1, fit over that of real renders."""
    bottom, top = (float(np.mean(both[end]["likeness"])) for end in ("base", "real"))
    whole = float(np.mean(both["real"]["fit"]))
    return np.array([((np.mean(row["likeness"]) - bottom) / (top - bottom), np.mean(row["fit"]) / whole) for row in rows])


class Experiment:
    """What all experiments share: scenes, results, subjects.

    Args:
        judge: of what is reported; "second" chooses.
    """

    def __init__(self, scenes: World, results: Kept, test: int) -> None:
        self.scenes, self.results = scenes, results
        self.development, self.test = held_out(scenes, "dev", 4), held_out(scenes, "test", test)
        self.others = held_out(scenes, "test", 16)[12:]  # neither of the lists

    def ends(self, name: str, subject: Subject, held: int, times: int) -> Task:
        """Both ends of the scales for one subject."""
        decides = {"subject": subject.name, "held": held, "times": times}
        judge = judging(name)  # type: ignore[arg-type]
        return Task(f"ends {name} {subject.name}", decides, lambda: ends(self.scenes, subject, held, judge, times))

    def curve(self, name: str, subject: Subject, held: int, settings: Mapping[str, Any], looks: Looks, times: int) -> Task:
        """The rows of one subject."""
        course, judge = course_of(subject, settings), judging(name)  # type: ignore[arg-type]
        decides = {"subject": subject.name, "held": held, "course": asdict(course), "looks": looks, "times": times, "prior": PRIOR}
        told = " ".join(f"{key}={value}" for key, value in settings.items())
        return Task(f"{name} {subject.name} {told}", decides, lambda: curve(self.scenes, subject, held, course, judge, looks, times))

    def points(
        self, name: str, subjects: Sequence[Subject], many: Sequence[Mapping[str, Any]], looks: Looks, times: int
    ) -> list[list[tuple[Any, Points | None]]]:
        """For each of many settings and each subject its rows and their scaled points; those are None where it diverged."""
        styled = [(subject, number % len(STYLES)) for number, subject in enumerate(subjects)]
        both = self.results.all(self.ends(name, subject, held, times) for subject, held in styled)
        tasks = [self.curve(name, subject, held, settings, looks, times) for settings in many for subject, held in styled]
        rows = self.results.all(tasks)
        told = [(found, None if isinstance(found, dict) else scaled(found, both[k % len(both)])) for k, found in enumerate(rows)]
        return [told[start : start + len(styled)] for start in range(0, len(told), len(styled))]


def choose(whole: Experiment) -> dict[str, dict[str, Any]]:
    """{arm: settings}: the largest mean of likeness and fit over the development subjects, as the second judge sees it."""
    every = [(arm, settings) for arm, trials in TRIALS.items() for settings in trials]
    tried = [settings | {"steps": CHOOSING} for _, settings in every]
    scores: dict[str, list[float]] = {arm: [] for arm in TRIALS}
    found = whole.points("second", whole.development, tried, {CHOOSING: ()}, TIMES // 2)
    for (arm, settings), each in zip(every, found, strict=True):
        known = [points[0] for _, points in each if points is not None]
        means = np.mean(known, 0) if len(known) == len(each) else None
        scores[arm].append(-np.inf if means is None else float(means.mean()))
        print(f"{arm:6} {settings}:", "diverged" if means is None else f"likeness {means[0]:.3f} fit {means[1]:.3f}")
    best = {arm: TRIALS[arm][int(np.argmax(values))] for arm, values in scores.items()}
    print("chosen:", json.dumps(best))
    return best


def pareto(whole: Experiment, best: Mapping[str, dict[str, Any]]) -> None:
    """(a) Every arm's points, the areas they dominate, and fit where likeness is the same."""
    looks: Looks = {steps: () for steps in LENGTHS} | {STEPS: tuple(share * guidance() for share in SHARES_LED)}
    found = whole.points("judge", whole.test, [settings | {"steps": STEPS} for settings in best.values()], looks, TIMES)
    clouds = {}
    for arm, each in zip(best, found, strict=True):
        clouds[arm] = np.array([points for _, points in each])
        for row, (likeness, fit) in zip(each[0][0], clouds[arm].mean(0), strict=True):
            place = f"{row['steps']} steps" + (f", consistency {row['weight']:g}" if row["weight"] is not None else "")
            print(f"{arm:6} {place:28} likeness {likeness:.3f}  fit {fit:.3f}")
    for other in ("plain", "prior"):
        difference, low, high = lead(clouds["dco"], clouds[other])
        print(f"dominated area: dco - {other} = {difference:+.4f} ({low:+.4f} to {high:+.4f})")
        for likeness, fit in clouds[other].mean(0):
            ours = second_at(clouds["dco"].mean(0), likeness)
            print(f"  where {other} has likeness {likeness:.3f} and fit {fit:.3f}, dco has fit {ours:.3f}")


def merge(whole: Experiment, best: Mapping[str, dict[str, Any]]) -> None:
    """(b) Sums of subject and style adapters, both taught by dco or both plainly; the subject's adapter alone beside them."""
    found = whole.results.all(task for arm in ("dco", "plain") for task in merging(whole, arm, best[arm] | {"steps": STEPS}))
    half = len(found) // 2
    rows = {"dco": found[:half], "plain": found[half:]}
    for kind in ("new", "shown", "alone"):
        for name in ("subject", "style", "both", "prompt"):
            values = {
                arm: np.array([np.mean([row[name] for row in per if row["kind"] == kind]) for per in those]) for arm, those in rows.items()
            }
            told, means = paired(values["dco"] - values["plain"]), {arm: value.mean() for arm, value in values.items()}
            print(
                f"{kind:6} {name:8} dco {means['dco']:.3f}, plain {means['plain']:.3f}; difference {told['change']:+.3f} "
                f"({told['low']:+.3f} to {told['high']:+.3f}), p {told['p']:.3f}"
            )


def merging(whole: Experiment, arm: str, settings: Mapping[str, Any]) -> list[Task]:
    """The rows of every subject; a process teaches a style once."""
    styles: dict[str, Any] = {}
    return [
        Task(
            f"merge {arm} {subject.name}",
            {"held": held, "course": asdict(course_of(subject, settings))},
            lambda s=subject, h=held: merged(whole.scenes, s, h % len(STYLES), settings, styles),
        )
        for held, subject in enumerate(whole.test[:MERGED])
    ]


def taught_style(scenes: World, name: str, settings: Mapping[str, Any]) -> Any:
    """A style's adapter: half of the subject's rate, more rank, noise that a whole channel shares, as `customize` does."""
    more = {"rank": 64, "rate": settings["rate"] / 2, "prior_weight": 0.0, "offset_noise": 0.1}
    family = fresh()
    lesson = style_lesson(family, scenes, name, MADE_UP[name], known_subjects(scenes)[:DRAWINGS])
    return learned(family, lesson, changed(COURSE, dict(settings) | more))


def merged(scenes: World, subject: Subject, held: int, settings: Mapping[str, Any], styles: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per style, and one for the subject's adapter alone in a style that it was not shown in."""
    family = fresh()
    lesson = subject_lesson(family, scenes, subject, held)
    taught = learned(family, lesson, course_of(subject, settings))
    found = []
    for name, style in MADE_UP.items():
        if name not in styles:
            styles[name] = taught_style(scenes, name, settings)
        kind = "shown" if style in STYLES and STYLES.index(style) != held else "new"
        found.append({"kind": kind} | in_style(scenes, lesson, subject, [taught, styles[name]], style, f"in {name} style"))
    return [*found, {"kind": "alone"} | in_style(scenes, lesson, subject, [taught], STYLES[held], f"in {STYLES[held]} style")]


def in_style(scenes: World, lesson: Lesson, subject: Subject, adapters: Sequence[Any], style: str, phrase: str) -> dict[str, float]:
    """By itself, in a colour, with a crown and twice, by the sum of the adapters: subject and style are what the judge reads."""
    family, judge = fresh(), judging("judge")
    family.adapters.attach("sum", concatenated([(taught.lora, 1.0) for taught in adapters]))
    family.adapters.use({"sum": 1.0})
    for token, rows in adapters[0].tokens.items():
        family.add_token(token, rows)
    scenes_of = ten_scenes(subject, scenes, style)
    kinds = [("single", scenes_of[7][1]), scenes_of[0], scenes_of[1], scenes_of[3]]
    said = ["a {}", "a " + scenes_of[0][1].things[0].colour + " {}", "a {} wearing a crown", "two {}"]
    items, texts = [], []
    for number, ((family_of, truth), words) in enumerate(zip(kinds, said, strict=True)):
        for repeat in range(TIMES):
            seed = dice(f"claims|{subject.name}|{phrase}|{number}|{repeat}") % 2**31
            items.append(Item(f"{number}-{repeat}", family_of, words, seed, subject.name, truth))
            texts.append((f"{' '.join(words.format(lesson.token).split())}, {phrase}", words.format(lesson.words), seed))
    read = judge.read(judge.pictures(pictures := drawn(family, texts)))
    label = judge.labels.index(judge.label_of[subject.name])
    subjects = [label in read.presence[row].topk(3).indices.tolist() for row in range(len(pictures))]
    styles = [judge.styles[k].replace("-", " ") == style for k in read.style.argmax(1).tolist()]
    prompt = [value for value, item in zip(measured(pictures, lesson, items, judge)["fit"], items, strict=True) if item.family != "single"]
    both = [one and other for one, other in zip(subjects, styles, strict=True)]
    return {name: float(np.mean(values)) for name, values in (("subject", subjects), ("style", styles), ("both", both), ("prompt", prompt))}


def deviation(whole: Experiment) -> None:
    """(c) Mean squared difference between the predictions of adapted model and base on the references, over beta."""
    made = whole.results.all(task for beta in BETAS for task in moving(whole, beta))
    values = np.array(made).reshape(len(BETAS), -1)
    for beta, each in zip(BETAS, values, strict=True):
        print(f"beta {beta:5g}: deviation {each.mean():.5f}", *(f"{value:.5f}" for value in each))
    logs = np.log(values)
    for number, (low, high) in enumerate(zip(BETAS, BETAS[1:], strict=False)):
        told = paired(logs[number + 1] - logs[number])
        print(f"log ratio {low:g} to {high:g}: {told['change']:+.3f} ({told['low']:+.3f} to {told['high']:+.3f}), p {told['p']:.4f}")
    print(f"falls at every step for {int((np.diff(logs, axis=0) < 0).all(0).sum())} of {logs.shape[1]} subjects")


def moving(whole: Experiment, beta: float) -> list[Task]:
    """How far every test subject moves the model at one beta."""
    courses = [course_of(subject, {"beta": beta, "steps": MOVED}) for subject in whole.test]
    return [
        Task(f"deviation {beta} {s.name}", {"course": asdict(c)}, lambda s=s, h=h, c=c: moved(whole.scenes, s, h % len(STYLES), c))
        for h, (s, c) in enumerate(zip(whole.test, courses, strict=True))
    ]


def moved(scenes: World, subject: Subject, held: int, course: Course) -> float:
    """Of one subject, under 48 fixed draws."""
    family = fresh()
    lesson = subject_lesson(family, scenes, subject, held)
    learned(family, lesson, course)
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


def draws(whole: Experiment, settings: Mapping[str, Any]) -> None:
    """Likeness and fit for several numbers of kept draws; 0 asks the base anew in every step."""
    subjects, tried = [*whole.development, *whole.others], [dict(settings) | {"steps": CHOOSING, "draws": count} for count in KEPT_DRAWS]
    made = whole.points("second", subjects, tried, {CHOOSING: ()}, TIMES)
    found = {count: np.array([points[0] for _, points in each]) for count, each in zip(KEPT_DRAWS, made, strict=True)}
    for count, values in found.items():
        print(f"{count:4} draws: likeness {values[:, 0].mean():.3f}, fit {values[:, 1].mean():.3f}", end="")
        for column, name in enumerate(("likeness", "fit") if count else ()):
            told = paired(values[:, column] - found[0][:, column])
            print(f"; {name} against 0: {told['change']:+.3f} ({told['low']:+.3f} to {told['high']:+.3f})", end="")
        print()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", choices=("choose", "pareto", "merge", "deviation", "draws"))
    parser.add_argument("--subjects", type=int, default=12, help="test subjects")
    parser.add_argument("--out", type=Path, default=Path("claims"))
    args = parser.parse_args()
    about = {"sampling": located("sticker-mini").sampling, "judges": [judging(name).sha256 for name in ("judge", "second")]}
    whole = Experiment(world("all"), Kept(args.out, about), args.subjects)
    if args.experiment == "deviation":
        return deviation(whole)
    best = choose(whole)
    if args.experiment == "pareto":
        pareto(whole, best)
    elif args.experiment == "merge":
        merge(whole, best)
    elif args.experiment == "draws":
        draws(whole, best["dco"])


if __name__ == "__main__":
    main()
