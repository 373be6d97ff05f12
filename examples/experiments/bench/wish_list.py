"""What people wish for, of two versions, judged without knowing which is which.

python -m examples.experiments.bench.wish_list draw --work FOLDER --sheets FOLDER
    --model LABEL=OLD --model LABEL=NEW [--lists dev|test] [--count 75] [--seed 0]
    [--set NAME=VALUE]
python -m examples.experiments.bench.wish_list ask --work FOLDER --answers CSV --verdicts CSV
python -m examples.experiments.bench.wish_list score --work FOLDER --verdicts CSV

`draw` lays the pictures of all versions on numbered sheets, mixed; the folder of sheets is all that
a reader gets, who names in answers.csv what it sees. `ask` puts the prompt beside each answer,
still without the version; somebody writes `right`, `near` (a thing near to what was asked for: a
dog for a corgi) or `wrong` behind it. `score` opens the key. Pictures are as a user gets them; a
prompt without one is `none`. `--lists test` opens the sealed prompts, once, for the result.
"""

import argparse
import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from examples.experiments.bench.bench_compare import interval_text
from examples.experiments.bench.bench_images import run_generate
from examples.experiments.bench.by_eye import write_sheets
from examples.experiments.bench.by_eye_score import read_answers
from examples.experiments.bench.user_prompts import read_prompts
from stickerforge.evaluation.statistics import MIN_PROMPTS, paired_difference, wilson_interval

KEY, RESULT = "key.json", "wish-list.json"
VERDICTS = ("right", "near", "wrong")
NONE = "none"  # no picture was made
HEAD = ("number", "prompt", "seen", "verdict")
PICTURE_SEED = 1
Rows = Sequence[Mapping[str, object]]


def draw_wishes(prompts: Sequence[str], model: str, folder: Path, settings: Sequence[str]) -> None:
    """A picture of each prompt in the house style, as a user gets it, those that are missing."""
    rows = [
        {"id": wish_id(number), "prompt": prompt, "seed": PICTURE_SEED, "style": "sticker"}
        for number, prompt in enumerate(prompts)
    ]
    chosen = [part for text in settings for part in ("--set", text)]
    run_generate(rows, folder, ["--model", model, "--quiet", *chosen])


def wish_id(number: int) -> str:
    """Of a prompt, in the order of its list."""
    return f"wish-{number:03d}"


def mix(
    prompts: Sequence[str], folders: Mapping[str, Path], seed: int
) -> tuple[list[dict[str, object]], list[Image.Image]]:
    """(rows of the key, pictures), in an order that the seed decides.

    Rows of prompts without a picture have the number 0 and come last.
    """
    every = [(model, number) for model in folders for number in range(len(prompts))]
    every = [every[place] for place in np.random.default_rng(seed).permutation(len(every))]
    rows: list[dict[str, object]] = []
    without: list[dict[str, object]] = []
    pictures: list[Image.Image] = []
    for model, number in every:
        path = folders[model] / "pictures" / f"{wish_id(number)}.png"
        row = {"number": 0, "model": model, "id": wish_id(number), "prompt": prompts[number]}
        if path.exists():
            with Image.open(path) as picture:
                pictures.append(picture.convert("RGBA"))
            rows.append(row | {"number": len(pictures)})
        else:
            without.append(row)
    return rows + without, pictures


def labelled(texts: Sequence[str]) -> dict[str, str]:
    """{label: model} of --model; a model without a label is called by its name.

    Raises:
        SystemExit: two are called the same.
    """
    pairs = [text.rpartition("=") for text in texts]
    models = {label or Path(model).name: model for label, _, model in pairs}
    if len(models) < len(texts):
        raise SystemExit("two models are called the same: give --model LABEL=FOLDER")
    return models


def draw(args: argparse.Namespace) -> None:
    """Make the pictures, the sheets and the key."""
    places = [args.sheets.resolve(), args.work.resolve()]
    if any(a.is_relative_to(b) for a, b in (places, places[::-1])):
        raise SystemExit("--sheets and --work hold each other, and the key: give other folders")
    prompts = read_prompts(args.lists)[: args.count]
    models = labelled(args.model or ["sticker-mini"])
    folders = {label: args.work / f"model-{number}" for number, label in enumerate(models, 1)}
    for label, folder in folders.items():
        draw_wishes(prompts, models[label], folder, args.settings)
    rows, pictures = mix(prompts, folders, args.seed)
    record = {"lists": args.lists, "settings": args.settings, "pictures": rows}
    (args.work / KEY).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    print("\n".join(map(str, write_sheets(pictures, args.sheets))))


def read_key(work: Path) -> Rows:
    """The rows of the key."""
    rows: Rows = json.loads((work / KEY).read_text())["pictures"]
    return rows


def ask(args: argparse.Namespace) -> None:
    """Write a table for whoever judges the answers, without the versions."""
    if args.verdicts.exists():
        raise SystemExit(f"{args.verdicts} is there already: it may hold verdicts")
    rows = sorted((r for r in read_key(args.work) if r["number"]), key=lambda r: str(r["prompt"]))
    answers = read_answers(args.answers, len(rows))
    with args.verdicts.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(HEAD)
        for row in rows:
            table.writerow([row["number"], row["prompt"], answers[int(str(row["number"]))], ""])
    print(f"{args.verdicts}: write {', '.join(VERDICTS)} behind each line")


def read_verdicts(path: Path, numbers: Sequence[int]) -> dict[int, str]:
    """{number: verdict} of a filled table.

    Raises:
        SystemExit: a number is missing, there twice, or has no verdict.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = [row for row in csv.DictReader(file) if any(row.values())]
    found: dict[int, str] = {}
    for line in lines:
        number, verdict = (str(line.get(name) or "").strip() for name in (HEAD[0], HEAD[-1]))
        if verdict.lower() not in VERDICTS:
            raise SystemExit(f"{path}: number {number} has {verdict!r}: {', '.join(VERDICTS)}")
        if not number.isdigit() or int(number) in found or int(number) not in numbers:
            raise SystemExit(f"{path}: number {number!r} is there twice or of no picture")
        found[int(number)] = verdict.lower()
    if missing := sorted(set(numbers) - set(found)):
        raise SystemExit(f"{path}: no verdict on {', '.join(map(str, missing))}")
    return found


def score_verdicts(rows: Rows, verdicts: Mapping[int, str]) -> dict[str, dict[str, Any]]:
    """{version: {"shares": {verdict: share and interval}, "verdicts": {id: verdict}}}."""
    results: dict[str, dict[str, Any]] = {}
    for model in dict.fromkeys(str(row["model"]) for row in rows):
        own = {
            str(row["id"]): verdicts.get(int(str(row["number"])), NONE)
            for row in rows
            if row["model"] == model
        }
        shares = {}
        for verdict in (*VERDICTS, NONE):
            passed = sum(each == verdict for each in own.values())
            few = len(own) < MIN_PROMPTS
            low, high = (None, None) if few else wilson_interval(passed, len(own))
            shares[verdict] = {
                "share": passed / len(own),
                "low": low,
                "high": high,
                "passed": passed,
                "of": len(own),
            }
        results[model] = {"shares": shares, "verdicts": own}
    return results


def version_changes(
    results: Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, dict[str, float | None]]]:
    """{version: {"right", "right or near": paired difference to the first version}}."""
    first, *others = results
    base, found = results[first]["verdicts"], {}
    for model in others:
        own = results[model]["verdicts"]
        found[model] = {
            name: paired_difference(
                np.array([float(own[each] in kinds) - float(base[each] in kinds) for each in base])
            )
            for name, kinds in (("right", VERDICTS[:1]), ("right or near", VERDICTS[:2]))
        }
    return found


def print_results(results: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    """Print how many wishes each version fulfils."""
    for model, result in results.items():
        print(model)
        for verdict, row in result["shares"].items():
            spread = "-" if row["low"] is None else f"{row['low']:.0%} to {row['high']:.0%}"
            print(f"  {verdict:8}{row['passed']:>4} of {row['of']}{row['share']:>7.0%}  {spread}")
    for model, rows in changes.items():
        for name, row in rows.items():
            spread = interval_text(row["low"], row["high"], "+")
            print(
                f"{model}, {name}: {100 * row['change']:+.1f} points ({spread}), p {row['p']:.3f}"
            )


def score(args: argparse.Namespace) -> None:
    """Open the key."""
    rows = read_key(args.work)
    numbers = [int(str(row["number"])) for row in rows if row["number"]]
    results = score_verdicts(rows, read_verdicts(args.verdicts, numbers))
    changes = version_changes(results)
    print_results(results, changes)
    record = {"versions": results, "changes": changes}
    (args.work / RESULT).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    drawing, asking, scoring = (commands.add_parser(name) for name in ("draw", "ask", "score"))
    for command in (drawing, asking, scoring):
        command.add_argument("--work", type=Path, required=True)
    drawing.add_argument("--sheets", type=Path, required=True)
    drawing.add_argument("--model", action="append", default=[])
    drawing.add_argument("--lists", choices=("dev", "test"), default="dev")
    drawing.add_argument("--count", type=int, default=75)
    drawing.add_argument("--seed", type=int, default=0)
    drawing.add_argument("--set", action="append", default=[], dest="settings")
    asking.add_argument("--answers", type=Path, required=True)
    for command in (asking, scoring):
        command.add_argument("--verdicts", type=Path, required=True)
    args = parser.parse_args()
    {"draw": draw, "ask": ask, "score": score}[args.command](args)


if __name__ == "__main__":
    main()
