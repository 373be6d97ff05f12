# ruff: noqa: E402 - the modules of the other examples are found once their folders are on the path
"""The claims of Direct Consistency Optimization (arXiv:2402.12004), as experiments on sticker-mini.

python examples/claims/dco.py choose             settings of every arm, on four development subjects
python examples/claims/dco.py pareto             (a) likeness against prompt fit, over length and consistency weight, twelve test subjects;
                                                 writes pareto.svg, too
python examples/claims/dco.py merge              (b) subject and style together, six subjects by four styles
python examples/claims/dco.py deviation          (c) how far the model moves from its base, over beta
python examples/claims/dco.py draws              what kept draws of noise cost in quality

Arms: dco; plain (ordinary LoRA training); prior (plain, with as many pictures of the class in every step). Each is given eight trials
of the same number of steps on the development subjects: two rates of the new word, by two rates of the adapter and two values of a
setting of its own (beta; the weight of the class), or, as plain training has none, by four rates of the adapter. The largest dominated
area of likeness and fit, as the second judge sees them, is chosen; test subjects are run once, with what was chosen, and the first judge
measures. The lists are those of ../bench/protocols.py, fixed by hash. A subject is taught from three styles, by a class word that the
model knows, and asked for in the fourth style, in a colour, with a crown and with glasses, twice, three times, and beside two things.

Likeness is the mean cosine with the references: 0 is what the untaught base draws for the same prompts in plain words, 1 real renders
of them, on average over the subjects. Fit is the share of what the prompt asks for beside the subject (the fourth style, the colour, the
number, what is worn, the other thing), over that of real renders; the style that a subject was shown in is not counted, since
reciting brings it. Intervals are of the bootstrap over subjects. What is done is kept in --out, so an interrupted call goes on; the same
call once per core, each with OMP_NUM_THREADS=1, shares the work. Needs the art of examples/mini (fetch.py, art.py, judge_pictures.py).
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

EXAMPLES = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(EXAMPLES / "mini"), str(EXAMPLES / "bench"), str(EXAMPLES / "claims")]

from frontier import dominated, lead, lead_at
from kept import Kept, Task
from making import Case, Looks, curve, ends, merged, moved
from plot import curves_svg
from protocols import MERGED, held_out
from teaching import PRIOR, changed

import stickerforge
from art import Subject
from settings import STYLES
from stickerforge.evaluation.statistics import paired_difference
from stickerforge.models.checksums import fingerprint
from stickerforge.models.judge.model import load_judge
from stickerforge.models.registry import find_model
from stickerforge.training.config import TrainingConfig
from world import World, dice, world

LENGTHS, STEPS = (50, 100, 200), 400  # the length axis: 50, 100, 200, 400
ELSEWHERE = 200  # steps where length is no question
CHOOSING = (50, 100)  # steps after which the settings of the arms are compared
SHARES_LED = (
    0.25,
    0.5,
    0.75,
)  # weights of consistency guidance at the end, in shares of the guidance scale
TIMES = 2  # pictures per prompt
COURSE = TrainingConfig(
    steps=STEPS,
    batch=4,
    rank=16,
    layers="all",
    rate=2e-3,
    token_rate=1e-2,
    beta=8.0,
    objective="dco",
    offset_noise=0.0,
    seed=0,
    weight_decay=1e-4,
    clip=1.0,
    save_every=ELSEWHERE,
)
RATES, TOKEN_RATES = (1e-3, 2e-3), (1e-3, 1e-2)
OWN: dict[str, list[dict[str, Any]]] = {
    "dco": [
        {"objective": "dco", "beta": beta, "rate": rate} for beta in (8.0, 32.0) for rate in RATES
    ],
    "plain": [
        {"objective": "plain", "rate": rate} for rate in (RATES[0] / 2, *RATES, 2 * RATES[1])
    ],
    "prior": [
        {"objective": "plain", "prior_weight": weight, "rate": rate}
        for weight in (0.5, 1.0)
        for rate in RATES
    ],
}
TRIALS = {
    arm: [one | {"token_rate": rate} for one in own for rate in TOKEN_RATES]
    for arm, own in OWN.items()
}
STYLE = {
    "rank": 64,
    "rate": 1e-3,
    "offset_noise": 0.1,
    "beta": 20.0,
}  # what the card of sticker-mini says of styles
LEVELS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # at which two arms are compared
BETAS = (1.0, 8.0, 64.0, 512.0)
MOVED = 40  # steps after which the deviation is measured
KEPT_DRAWS = (0, 64)
DECIDING = (
    "claims/making.py",
    "claims/teaching.py",
    "bench/protocols.py",
    "bench/sticker_bench.py",
    "mini/world.py",
    "mini/captions.py",
    "mini/backdrops.py",
    "mini/scenes.py",
    "mini/settings.py",
    "mini/art.py",
)
PARTS = ("training", "objectives", "sampling", "models", "adapters")  # of the package


def deciding() -> dict[str, Any]:
    """What decides every result: the model, its settings, the judges, and the code that makes and measures."""
    package = Path(stickerforge.__file__).parent
    files = [EXAMPLES / name for name in DECIDING] + sorted(
        path for part in PARTS for path in (package / part).glob("*.py")
    )
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


def course_of(subject: Subject, settings: Mapping[str, Any]) -> TrainingConfig:
    """The course with settings of an arm; the seed is the subject's own."""
    return changed(COURSE, {"seed": dice(f"claims|{subject.name}") % 2**31} | dict(settings))


def cases(subjects: Sequence[Subject]) -> list[Case]:
    """Each with the style that it is not shown in, which rotates."""
    return [Case(subject, number % len(STYLES), TIMES) for number, subject in enumerate(subjects)]


def told(case: Case) -> dict[str, Any]:
    """A case for the key of its result."""
    return {"subject": case.subject.name, "held": case.held, "times": case.times}


class Experiment:
    """What all experiments share: scenes, results, subjects.

    Args:
        test: how many of the twelve test subjects.
    """

    def __init__(self, scenes: World, results: Kept, test: int) -> None:
        self.scenes, self.results = scenes, results
        self.development, self.test = (
            held_out(scenes, "dev", 4),
            held_out(scenes, "test", 12)[:test],
        )
        self.others = held_out(scenes, "test", 18)[12:]  # neither of the lists

    def ends(self, name: str, subjects: Sequence[Subject]) -> list[Any]:
        """Both ends of the scales for each subject, as a judge sees them."""
        judge = load_judge(name)  # type: ignore[arg-type]
        return self.results.all(
            Task(f"ends {name} {c.subject.name}", told(c), lambda c=c: ends(self.scenes, c, judge))
            for c in cases(subjects)
        )

    def curve(self, name: str, case: Case, settings: Mapping[str, Any], looks: Looks) -> Task:
        """The rows of one subject."""
        course, judge = course_of(case.subject, settings), load_judge(name)  # type: ignore[arg-type]
        said = " ".join(f"{key}={value}" for key, value in settings.items())
        decides = told(case) | {"course": asdict(course), "looks": looks, "prior": PRIOR}
        return Task(
            f"{name} {case.subject.name} {said}",
            decides,
            lambda: curve(self.scenes, case, course, judge, looks),
        )

    def clouds(
        self,
        name: str,
        subjects: Sequence[Subject],
        many: Sequence[Mapping[str, Any]],
        looks: Looks,
    ) -> NDArray[np.float64]:
        """(settings, subjects, points, 2): likeness and fit on their scales; not numbers where a subject diverged."""
        both = self.ends(name, subjects)
        rows = self.results.all(
            self.curve(name, case, settings, looks) for settings in many for case in cases(subjects)
        )
        bottom, top = (
            np.array([np.mean(each[end]["likeness"]) for each in both]) for end in ("base", "real")
        )
        whole = np.mean([np.mean(each["real"]["fit"]) for each in both])
        found = np.full(
            (len(many), len(subjects), sum(1 + len(weights) for weights in looks.values()), 2),
            np.nan,
        )
        for number, those in enumerate(rows):
            setting, subject = divmod(number, len(subjects))
            for point, row in enumerate(those):
                likeness = (np.mean(row["likeness"]) - bottom[subject]) / np.mean(top - bottom)
                found[setting, subject, point] = likeness, np.mean(row["fit"]) / whole
        return found


def choose(whole: Experiment) -> dict[str, dict[str, Any]]:
    """{arm: settings}: the largest area under likeness and fit, means of the development subjects, as the second judge sees it.

    Raises:
        SystemExit: an arm diverged in every trial.
    """
    every = [(arm, settings) for arm, trials in TRIALS.items() for settings in trials]
    looks: Looks = {steps: () for steps in CHOOSING}
    found = whole.clouds(
        "second",
        whole.development,
        [settings | {"steps": CHOOSING[-1]} for _, settings in every],
        looks,
    )
    best: dict[str, tuple[float, dict[str, Any]]] = {}
    for (arm, settings), points in zip(every, found.mean(1), strict=True):
        area = dominated(points) if np.isfinite(points).all() else float("nan")
        told = ", ".join(f"{likeness:.3f} / {fit:.3f}" for likeness, fit in points)
        print(f"{arm:6} {settings}: likeness / fit {told}; area {area:.3f}")
        if area > best.get(arm, (-np.inf, {}))[0]:
            best[arm] = (area, settings)
    if missing := set(TRIALS) - set(best):
        raise SystemExit(f"every trial of {', '.join(sorted(missing))} diverged")
    chosen = {arm: settings for arm, (_, settings) in best.items()}
    print("chosen:", json.dumps(chosen))
    return chosen


def pareto(whole: Experiment, best: Mapping[str, dict[str, Any]]) -> None:
    """(a) Every arm's points, the areas they dominate, and which leads where the other quality is the same."""
    looks: Looks = {steps: () for steps in LENGTHS} | {
        STEPS: tuple(share * guidance() for share in SHARES_LED)
    }
    found = whole.clouds("judge", whole.test, list(best.values()), looks)
    both = whole.ends("judge", whole.test)
    base, real = (np.mean([np.mean(each[end]["fit"]) for each in both]) for end in ("base", "real"))
    print(
        f"untaught base: likeness 0, fit {base / real:.3f}; real renders: fit {real:.3f} before scaling"
    )
    valid = np.isfinite(found).all((0, 2, 3))
    print(f"{valid.sum()} of {len(valid)} subjects diverged in no arm")
    places = [(steps, weight) for steps in looks for weight in (None, *looks[steps])]
    clouds = dict(zip(best, found[:, valid], strict=True))
    for arm, cloud in clouds.items():
        for (steps, weight), (likeness, fit) in zip(places, cloud.mean(0), strict=True):
            place = f"{steps} steps" + (f", consistency {weight:g}" if weight is not None else "")
            print(f"{arm:6} {place:28} likeness {likeness:.3f}  fit {fit:.3f}")
    picture = curves_svg(
        {arm: cloud.mean(0) for arm, cloud in clouds.items()}, places, float(base / real)
    )
    (whole.results.folder / "pareto.svg").write_text(picture)
    for other in ("plain", "prior"):
        difference, low, high = lead(clouds["dco"], clouds[other])
        print(f"dominated area: dco - {other} = {difference:+.4f} ({low:+.4f} to {high:+.4f})")
        for first, second, flip in (("likeness", "fit", 1), ("fit", "likeness", -1)):
            for level in LEVELS:
                difference, low, high = lead_at(
                    clouds["dco"][..., ::flip], clouds[other][..., ::flip], level
                )
                if np.isfinite(difference):
                    print(
                        f"  {first} at least {level}: {second} of dco - {other} = {difference:+.3f} ({low:+.3f} to {high:+.3f})"
                    )
    over_length(clouds)


def over_length(clouds: Mapping[str, NDArray[np.float64]]) -> None:
    """What training longer does to fit, by itself and against DCO. Looked at after the areas were known: they are no part of the claim."""
    first, last = 0, len(LENGTHS)  # places of the shortest and of the longest training
    fallen = {arm: cloud[:, last, 1] - cloud[:, first, 1] for arm, cloud in clouds.items()}
    for arm, changes in fallen.items():
        tell(f"fit of {arm} from {LENGTHS[first]} to {STEPS} steps", changes)
    for other in [arm for arm in clouds if arm != "dco"]:
        tell(f"the same, dco - {other}", fallen["dco"] - fallen[other])
        for column, name in enumerate(("likeness", "fit")):
            tell(
                f"{name} after {STEPS} steps, dco - {other}",
                clouds["dco"][:, last, column] - clouds[other][:, last, column],
            )


def tell(what: str, differences: NDArray[np.float64]) -> None:
    """A mean difference over subjects, its interval and p."""
    found = paired_difference(differences)
    print(
        f"{what}: {found['change']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f}), p {found['p']:.3f}"
    )


def merge(whole: Experiment, best: Mapping[str, dict[str, Any]]) -> None:
    """(b) Sums of subject and style adapters, both taught by dco or both plainly; the subject's adapter alone beside them."""
    found = whole.results.all(
        task for arm in ("dco", "plain") for task in merging(whole, arm, best[arm])
    )
    half = len(found) // 2
    kept = [pair for pair in zip(found[:half], found[half:], strict=True) if all(pair)]
    print(f"{len(kept)} of {half} subjects diverged in neither arm")
    for kind in ("new", "shown", "alone"):
        for name in ("subject", "style", "both", "prompt"):
            per = [
                [np.mean([row[name] for row in rows if row["kind"] == kind]) for rows in pair]
                for pair in kept
            ]
            dco, plain = np.array(per).T
            difference = paired_difference(dco - plain)
            print(
                f"{kind:6} {name:8} dco {dco.mean():.3f}, plain {plain.mean():.3f}; difference {difference['change']:+.3f} "
                f"({difference['low']:+.3f} to {difference['high']:+.3f}), p {difference['p']:.3f}"
            )


def merging(whole: Experiment, arm: str, settings: Mapping[str, Any]) -> list[Task]:
    """The rows of every subject; a process teaches a style once."""
    styles: dict[str, Any] = {}
    of_styles = changed(COURSE, {"objective": arm, "steps": ELSEWHERE} | STYLE)
    made = []
    for case in cases(whole.test[:MERGED]):
        courses = course_of(case.subject, dict(settings) | {"steps": ELSEWHERE}), of_styles
        decides = told(case) | {"courses": [asdict(course) for course in courses]}
        made.append(
            Task(
                f"merge {arm} {case.subject.name}",
                decides,
                lambda c=case, two=courses: merged(whole.scenes, c, two, styles),
            )
        )
    return made


def deviation(whole: Experiment) -> None:
    """(c) Mean squared difference between the predictions of adapted model and base on the references, over beta."""
    made = whole.results.all(task for beta in BETAS for task in moving(whole, beta))
    values = np.array(made, float).reshape(len(BETAS), -1)
    values = values[:, np.isfinite(values).all(0)]
    for beta, each in zip(BETAS, values, strict=True):
        print(f"beta {beta:5g}: deviation {each.mean():.5f}", *(f"{value:.5f}" for value in each))
    logs = np.log(values)
    for number, (low, high) in enumerate(zip(BETAS, BETAS[1:], strict=False)):
        difference = paired_difference(logs[number + 1] - logs[number])
        interval = f"{difference['low']:+.3f} to {difference['high']:+.3f}"
        print(
            f"log ratio {low:g} to {high:g}: {difference['change']:+.3f} ({interval}), p {difference['p']:.4f}"
        )
    print(
        f"falls at every step for {int((np.diff(logs, axis=0) < 0).all(0).sum())} of {logs.shape[1]} subjects"
    )


def moving(whole: Experiment, beta: float) -> list[Task]:
    """How far every test subject moves the model at one beta."""
    made = []
    for case in cases(whole.test):
        course = course_of(case.subject, {"beta": beta, "steps": MOVED})
        decides = told(case) | {"course": asdict(course)}
        made.append(
            Task(
                f"deviation {beta} {case.subject.name}",
                decides,
                lambda c=case, k=course: moved(whole.scenes, c, k),
            )
        )
    return made


def draws(whole: Experiment, settings: Mapping[str, Any]) -> None:
    """Likeness and fit where noises are kept, about each of which the base is asked once, against new noise in every step (0)."""
    tried = [dict(settings) | {"draws": count, "steps": ELSEWHERE} for count in KEPT_DRAWS]
    found = whole.clouds("judge", whole.others, tried, {ELSEWHERE: ()})[:, :, 0]
    found = found[:, np.isfinite(found).all((0, 2))]
    for count, values in zip(KEPT_DRAWS, found, strict=True):
        print(
            f"{count:4} draws: likeness {values[:, 0].mean():.3f}, fit {values[:, 1].mean():.3f}",
            end="",
        )
        for column, name in enumerate(("likeness", "fit") if count else ()):
            difference = paired_difference(values[:, column] - found[0][:, column])
            print(
                f"; {name} against 0: {difference['change']:+.3f} ({difference['low']:+.3f} to {difference['high']:+.3f})",
                end="",
            )
        print()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("experiment", choices=("choose", "pareto", "merge", "deviation", "draws"))
    parser.add_argument("--subjects", type=int, default=12, help="test subjects")
    parser.add_argument("--out", type=Path, default=Path("claims"))
    args = parser.parse_args()
    whole = Experiment(world("all"), Kept(args.out, deciding), args.subjects)
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
