"""What a reader who knows nothing sees in pictures, beside what the judge passes.

python -m examples.experiments.bench.by_eye draw --work FOLDER --sheets FOLDER
    [--model NAME ...] [--lists dev|test] [--world 2|3] [--count 60] [--seed 0] [--set NAME=VALUE]
python -m examples.experiments.bench.by_eye score --work FOLDER --answers CSV

`draw` makes single pictures of withheld combinations and lays them on numbered sheets in an order
that the seed decides; the folder of sheets is all that a reader gets, with answers.csv to fill in:
number,what I see. The key stays in the folder of work. Pictures of several models are mixed, each
with the same prompts, and compared prompt by prompt. `score` holds the answers against names and
keywords of the things, and against the judge's verdicts. Needs the art of the recipe (fetch.py,
art.py).
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from examples.experiments.bench.bench_images import find_picture, generate_images
from examples.experiments.bench.bench_items import Item, family_items
from examples.experiments.bench.bench_scores import is_thing, read_pictures
from examples.experiments.bench.by_eye_score import print_differences, read_answers, score_answers
from examples.experiments.bench.spoken_names import SpokenNames
from examples.recipes.mini.art import load_subjects
from stickerforge.models.judge.model import Judge, load_judge

COLUMNS, ROWS, SIDE, LINE = 5, 4, 192, 22
PAPER = (206, 206, 206)
KEY = "key.json"


def choose_items(items: Sequence[Item], count: int) -> list[Item]:
    """So many of the items, as equally many of each combination as there can be."""
    seen: dict[str, int] = {}
    order = []
    for item in items:
        seen[item.group] = seen.get(item.group, -1) + 1
        order.append(seen[item.group])
    return [items[row] for row in np.argsort(order, kind="stable")[:count]]


def write_sheets(pictures: Sequence[Image.Image], folder: Path) -> list[Path]:
    """Numbered pictures on sheets of grey paper, and the table that a reader fills in."""
    folder.mkdir(parents=True, exist_ok=True)
    results, each = [], COLUMNS * ROWS
    for start in range(0, len(pictures), each):
        lines = -(-min(each, len(pictures) - start) // COLUMNS)
        sheet = Image.new("RGB", (COLUMNS * SIDE, lines * (SIDE + LINE)), PAPER)
        pen = ImageDraw.Draw(sheet)
        for place, picture in enumerate(pictures[start : start + each]):
            x, y = place % COLUMNS * SIDE, place // COLUMNS * (SIDE + LINE)
            pen.text((x + 6, y + 3), str(start + place + 1), fill=(0, 0, 0), font_size=16)
            picture = picture.convert("RGBA").resize((SIDE - 12, SIDE - 12))
            sheet.paste(picture, (x + 6, y + LINE), picture)
        results.append(folder / f"sheet-{start // each + 1}.png")
        sheet.save(results[-1])
    rows = "".join(f"{number},\n" for number in range(1, len(pictures) + 1))
    (folder / "answers.csv").write_text(f"number,what I see\n{rows}")
    return results


def key_rows(
    asked: Sequence[tuple[str, Item]], pictures: Sequence[Image.Image], judge: Judge
) -> list[dict[str, object]]:
    """What stands behind each number; `judge` is its verdict."""
    read = read_pictures(pictures, judge)
    return [
        {
            "number": row + 1,
            "model": model,
            "id": item.id,
            "prompt": item.prompt,
            "group": item.group,
            "things": [item.truth.things[0].subject.name, *item.others],
            "judge": is_thing(item, read, row, judge),
        }
        for row, (model, item) in enumerate(asked)
    ]


def draw(args: argparse.Namespace) -> None:
    """Make the pictures, the sheets and the key."""
    places = [args.sheets.resolve(), args.work.resolve()]
    if any(a.is_relative_to(b) for a, b in (places, places[::-1])):
        raise SystemExit("--sheets and --work hold each other, and the key: give other folders")
    items = choose_items(family_items("single", args.lists, args.world), args.count)
    models = args.model or ["sticker-mini"]
    folders = {model: args.work / f"model-{number}" for number, model in enumerate(models, 1)}
    settings = [part for text in args.settings for part in ("--set", text)]
    for model, folder in folders.items():
        generate_images(items, folder, ["--model", model, *settings])
    asked = [(model, item) for model in models for item in items]
    order = np.random.default_rng(args.seed).permutation(len(asked))
    asked = [asked[row] for row in order]
    found = [find_picture(item, folders[model] / "pictures") for model, item in asked]
    missing = [item.id for (_, item), picture in zip(asked, found, strict=True) if not picture]
    if missing:
        raise SystemExit(f"no picture of {', '.join(missing)}: empty {args.work} and draw again")
    pictures, judge = [picture for picture in found if picture], load_judge("judge")
    record = {"judge": judge.sha256, "lists": args.lists, "world": args.world}
    record |= {"settings": args.settings, "pictures": key_rows(asked, pictures, judge)}
    (args.work / KEY).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    print("\n".join(map(str, write_sheets(pictures, args.sheets))))


def score(args: argparse.Namespace) -> None:
    """Print how many things the reader names, beside the judge, and what it names wrongly."""
    rows: list[Mapping[str, object]] = json.loads((args.work / KEY).read_text())["pictures"]
    answers = read_answers(args.answers, len(rows))
    names = SpokenNames(load_subjects(3)[0])
    results = {}
    for model in dict.fromkeys(str(row["model"]) for row in rows):
        own = [row for row in rows if row["model"] == model]
        print(f"{model}, {len(own)} pictures")
        results[model] = score_answers(own, answers, names)
    print_differences(results, {str(row["id"]): str(row["group"]) for row in rows})
    (args.work / "by-eye.json").write_text(json.dumps(results, indent=1) + "\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    drawing, scoring = commands.add_parser("draw"), commands.add_parser("score")
    for command in (drawing, scoring):
        command.add_argument("--work", type=Path, required=True)
    drawing.add_argument("--sheets", type=Path, required=True)
    drawing.add_argument("--model", action="append", default=[])
    drawing.add_argument("--lists", choices=("dev", "test"), default="dev")
    drawing.add_argument("--world", type=int, choices=(2, 3), default=3)
    drawing.add_argument("--count", type=int, default=60)
    drawing.add_argument("--seed", type=int, default=0)
    drawing.add_argument("--set", action="append", default=[], dest="settings")
    scoring.add_argument("--answers", type=Path, required=True)
    args = parser.parse_args()
    (draw if args.command == "draw" else score)(args)


if __name__ == "__main__":
    main()
