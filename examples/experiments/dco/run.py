"""The claims of Direct Consistency Optimization (arXiv:2402.12004), as experiments on sticker-mini.

python -m examples.experiments.dco.run choose     settings of every arm, on four development
                                                  subjects
python -m examples.experiments.dco.run pareto     (a) likeness against prompt fit, over length and
                                                  consistency weight, twelve test subjects; writes
                                                  pareto.svg, too
python -m examples.experiments.dco.run merge      (b) subject and style together, six subjects by
                                                  four styles
python -m examples.experiments.dco.run deviation  (c) how far the model moves from its base, over
                                                  beta
python -m examples.experiments.dco.run noise      what cached noise costs in quality

Arms: dco; plain (ordinary LoRA training); prior (plain, with as many pictures of the class in every
step). Each is given eight trials of the same number of steps on the development subjects: two rates
of the new word, by two rates of the adapter and two values of a setting of its own (beta; the
weight of the class), or, as plain training has none, by four rates of the adapter. The largest
dominated area of likeness and fit, as the second judge sees them, is chosen; test subjects are run
once, with what was chosen, and the first judge measures. The lists are those of
../bench/protocols.py, fixed by hash. A subject is learned from three styles, by a class word that
the model knows, and asked for in the fourth style, in a colour, with a crown and with glasses,
twice, three times, and beside two things.

Likeness is the mean cosine with the references: 0 is what the untaught base draws for the same
prompts in plain words, 1 real renders of them, on average over the subjects. Fit is the share of
what the prompt asks for beside the subject (the fourth style, the colour, the number, what is worn,
the other thing), over that of real renders; the style that a subject was shown in is not counted,
since reciting brings it. Intervals are of the bootstrap over subjects.

Results are cached in --out, so an interrupted call goes on; the same call once per core, each with
OMP_NUM_THREADS=1, shares the work. Needs the art of the recipes (fetch.py, art.py,
judge/dataset.py).
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples.experiments.bench.protocol_items import MERGE_SUBJECTS
from examples.experiments.dco.arms import (
    BETAS,
    CACHED_NOISE,
    CONFIG,
    CONSISTENCY_SHARES,
    DEFAULT_STEPS,
    DEVIATION_STEPS,
    LENGTHS,
    LEVELS,
    STEPS,
    STYLE_SETTINGS,
    TRIAL_STEPS,
    TRIALS,
)
from examples.experiments.dco.concepts import with_settings
from examples.experiments.dco.experiment import (
    Experiment,
    case_key,
    guidance,
    result_context,
    test_cases,
)
from examples.experiments.dco.frontier import dominated_area, lead, lead_at
from examples.experiments.dco.measurements import Checkpoints, base_deviation, merge_scores
from examples.experiments.dco.plot import curves_svg
from examples.experiments.dco.result_cache import ResultCache, Task
from examples.recipes.mini.world import make_world
from stickerforge.evaluation.statistics import paired_difference


def choose(experiment: Experiment) -> dict[str, dict[str, Any]]:
    """{arm: settings}: the largest area under likeness and fit, means of the development subjects,
    as the second judge sees it.

    Raises:
        SystemExit: an arm diverged in every trial.
    """
    every = [(arm, settings) for arm, trials in TRIALS.items() for settings in trials]
    checkpoints: Checkpoints = {steps: () for steps in TRIAL_STEPS}
    result = experiment.clouds(
        "second",
        experiment.development,
        [settings | {"steps": TRIAL_STEPS[-1]} for _, settings in every],
        checkpoints,
    )
    best: dict[str, tuple[float, dict[str, Any]]] = {}
    for (arm, settings), points in zip(every, result.mean(1), strict=True):
        area = dominated_area(points) if np.isfinite(points).all() else float("nan")
        points_text = ", ".join(f"{likeness:.3f} / {fit:.3f}" for likeness, fit in points)
        print(f"{arm:6} {settings}: likeness / fit {points_text}; area {area:.3f}")
        if area > best.get(arm, (-np.inf, {}))[0]:
            best[arm] = (area, settings)
    if missing := set(TRIALS) - set(best):
        raise SystemExit(f"every trial of {', '.join(sorted(missing))} diverged")
    chosen = {arm: settings for arm, (_, settings) in best.items()}
    print("chosen:", json.dumps(chosen))
    return chosen


def pareto(experiment: Experiment, best: Mapping[str, dict[str, Any]]) -> None:
    """(a) Every arm's points, the areas they dominate, and which leads where the other quality is
    the same.
    """
    checkpoints: Checkpoints = {steps: () for steps in LENGTHS} | {
        STEPS: tuple(share * guidance() for share in CONSISTENCY_SHARES)
    }
    result = experiment.clouds("judge", experiment.test, list(best.values()), checkpoints)
    both = experiment.ends("judge", experiment.test)
    base, real = (np.mean([np.mean(each[end]["fit"]) for each in both]) for end in ("base", "real"))
    print(
        f"untaught base: likeness 0, fit {base / real:.3f}; "
        f"real renders: fit {real:.3f} before scaling"
    )
    valid = np.isfinite(result).all((0, 2, 3))
    print(f"{valid.sum()} of {len(valid)} subjects diverged in no arm")
    places = [(steps, weight) for steps in checkpoints for weight in (None, *checkpoints[steps])]
    clouds = dict(zip(best, result[:, valid], strict=True))
    for arm, cloud in clouds.items():
        for (steps, weight), (likeness, fit) in zip(places, cloud.mean(0), strict=True):
            place = f"{steps} steps" + (f", consistency {weight:g}" if weight is not None else "")
            print(f"{arm:6} {place:28} likeness {likeness:.3f}  fit {fit:.3f}")
    picture = curves_svg(
        {arm: cloud.mean(0) for arm, cloud in clouds.items()}, places, float(base / real)
    )
    (experiment.results.folder / "pareto.svg").write_text(picture)
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
                        f"  {first} at least {level}: {second} of dco - {other} = "
                        f"{difference:+.3f} ({low:+.3f} to {high:+.3f})"
                    )
    print_length_effect(clouds)


def print_length_effect(clouds: Mapping[str, NDArray[np.float64]]) -> None:
    """What training longer does to fit, by itself and against DCO. Looked at after the areas were
    known: they are no part of the claim.
    """
    first, last = 0, len(LENGTHS)  # places of the shortest and of the longest training
    fallen = {arm: cloud[:, last, 1] - cloud[:, first, 1] for arm, cloud in clouds.items()}
    for arm, changes in fallen.items():
        print_difference(f"fit of {arm} from {LENGTHS[first]} to {STEPS} steps", changes)
    for other in [arm for arm in clouds if arm != "dco"]:
        print_difference(f"the same, dco - {other}", fallen["dco"] - fallen[other])
        for column, name in enumerate(("likeness", "fit")):
            print_difference(
                f"{name} after {STEPS} steps, dco - {other}",
                clouds["dco"][:, last, column] - clouds[other][:, last, column],
            )


def print_difference(what: str, differences: NDArray[np.float64]) -> None:
    """A mean difference over subjects, its interval and p."""
    print(f"{what}: {with_interval(paired_difference(differences))}")


def with_interval(result: Mapping[str, float | None]) -> str:
    """A difference, its interval and p."""
    return f"{result['change']:+.3f} ({spread(result)}), p {result['p']:.3f}"


def spread(result: Mapping[str, float | None]) -> str:
    """The interval of a difference."""
    return "no interval" if result["low"] is None else "{low:+.3f} to {high:+.3f}".format(**result)


def merge(experiment: Experiment, best: Mapping[str, dict[str, Any]]) -> None:
    """(b) Sums of subject and style adapters, both taught by dco or both plainly.

    The subject's adapter alone beside them.
    """
    result = experiment.results.all(
        task for arm in ("dco", "plain") for task in merge_tasks(experiment, arm, best[arm])
    )
    half = len(result) // 2
    pairs = [pair for pair in zip(result[:half], result[half:], strict=True) if all(pair)]
    print(f"{len(pairs)} of {half} subjects diverged in neither arm")
    for kind in ("new", "shown", "alone"):
        for name in ("subject", "style", "both", "prompt"):
            per = [
                [np.mean([row[name] for row in rows if row["kind"] == kind]) for rows in pair]
                for pair in pairs
            ]
            dco, plain = np.array(per).T
            difference = paired_difference(dco - plain)
            means = f"dco {dco.mean():.3f}, plain {plain.mean():.3f}"
            print(f"{kind:6} {name:8} {means}; difference {with_interval(difference)}")


def merge_tasks(experiment: Experiment, arm: str, settings: Mapping[str, Any]) -> list[Task]:
    """The rows of every subject; a process teaches a style once."""
    styles: dict[str, Any] = {}
    of_styles = with_settings(CONFIG, {"objective": arm, "steps": DEFAULT_STEPS} | STYLE_SETTINGS)
    tasks = []
    for case in test_cases(experiment.test[:MERGE_SUBJECTS]):
        configs = with_settings(CONFIG, dict(settings) | {"steps": DEFAULT_STEPS}), of_styles
        decides = case_key(case) | {"configs": [asdict(config) for config in configs]}
        tasks.append(
            Task(
                f"merge {arm} {case.subject.name}",
                decides,
                lambda c=case, two=configs: merge_scores(experiment.scenes, c, two, styles),
            )
        )
    return tasks


def deviation(experiment: Experiment) -> None:
    """(c) Mean squared difference between the predictions of adapted model and base on the
    references, over beta.
    """
    deviations = experiment.results.all(
        task for beta in BETAS for task in deviation_tasks(experiment, beta)
    )
    values = np.array(deviations, float).reshape(len(BETAS), -1)
    values = values[:, np.isfinite(values).all(0)]
    for beta, each in zip(BETAS, values, strict=True):
        print(f"beta {beta:5g}: deviation {each.mean():.5f}", *(f"{value:.5f}" for value in each))
    logs = np.log(values)
    for number, (low, high) in enumerate(zip(BETAS, BETAS[1:], strict=False)):
        difference = paired_difference(logs[number + 1] - logs[number])
        print(
            f"log ratio {low:g} to {high:g}: {difference['change']:+.3f} ({spread(difference)}), "
            f"p {difference['p']:.4f}"
        )
    falling = int((np.diff(logs, axis=0) < 0).all(0).sum())
    print(f"falls at every step for {falling} of {logs.shape[1]} subjects")


def deviation_tasks(experiment: Experiment, beta: float) -> list[Task]:
    """How far every test subject moves the model at one beta."""
    tasks = []
    for case in test_cases(experiment.test):
        config = with_settings(CONFIG, {"beta": beta, "steps": DEVIATION_STEPS})
        decides = case_key(case) | {"config": asdict(config)}
        measure = partial(base_deviation, experiment.scenes, case, config)
        tasks.append(Task(f"deviation {beta} {case.subject.name}", decides, measure))
    return tasks


def cached_noise(experiment: Experiment, settings: Mapping[str, Any]) -> None:
    """Likeness and fit where noises are kept, about each of which the base is asked once, against
    new noise in every step (0).
    """
    tried = [
        dict(settings) | {"cached_noise": count, "steps": DEFAULT_STEPS} for count in CACHED_NOISE
    ]
    result = experiment.clouds("judge", experiment.others, tried, {DEFAULT_STEPS: ()})[:, :, 0]
    result = result[:, np.isfinite(result).all((0, 2))]
    for count, values in zip(CACHED_NOISE, result, strict=True):
        print(
            f"{count:4} noises: likeness {values[:, 0].mean():.3f}, fit {values[:, 1].mean():.3f}",
            end="",
        )
        for column, name in enumerate(("likeness", "fit") if count else ()):
            difference = paired_difference(values[:, column] - result[0][:, column])
            print(
                f"; {name} against 0: {difference['change']:+.3f} ({spread(difference)})",
                end="",
            )
        print()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("experiment", choices=("choose", "pareto", "merge", "deviation", "noise"))
    parser.add_argument("--subjects", type=int, default=12, help="test subjects")
    parser.add_argument("--out", type=Path, default=Path("dco"))
    args = parser.parse_args()
    experiment = Experiment(make_world("all"), ResultCache(args.out, result_context), args.subjects)
    if args.experiment == "deviation":
        return deviation(experiment)
    best = choose(experiment)
    if args.experiment == "pareto":
        pareto(experiment, best)
    elif args.experiment == "merge":
        merge(experiment, best)
    elif args.experiment == "noise":
        cached_noise(experiment, best["dco"])


if __name__ == "__main__":
    main()
