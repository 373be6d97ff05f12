"""StickerBench: one scale for every model, measured by a judge that never saw a generated picture.

python -m examples.experiments.bench.sticker_bench [--model sticker-mini] [--adapter NAME] [--quick]
    [--lists dev|test] [--out FOLDER]
python -m examples.experiments.bench.sticker_bench --pictures FOLDER
    pictures made elsewhere, named ID.png for the ids of --write-prompts
python -m examples.experiments.bench.sticker_bench --write-prompts FILE
    the prompts, as `stickerforge generate --prompts` takes them
python -m examples.experiments.bench.sticker_bench --against FOLDER|bench-dev.json [--max-loss 5]
    also the differences to another model on the same prompts and seeds; a limit for a release

Seven families of prompts over StickerWorld, each about combinations that were withheld from
sticker-mini: from version 3, which goes on from version 2, so that its lists hold only what neither
was shown, or (--world 2) from version 2; and everyday tellings of one thing. Beside what the judge
finds in the generated pictures stands what it finds in real renders of the same prompts, which is
the most it can, and in pictures of other prompts, which is chance; a number, a colour, an accessory
or a long prompt counts only where the thing is right. Pictures lie in FOLDER and are not made
twice, so an interrupted run goes on. Settings are chosen on the list `dev`; `test` is read once a
version. Needs the art of the recipe (fetch.py, art.py).
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from examples.experiments.bench.bench_compare import (
    Scores,
    changes,
    print_changes,
    read_scores,
    worse_rows,
)
from examples.experiments.bench.bench_grey import is_finished
from examples.experiments.bench.bench_images import (
    find_picture,
    generate_images,
    prompt_rows,
    write_prompts,
)
from examples.experiments.bench.bench_items import Item, bench_items, bench_world
from examples.experiments.bench.bench_table import Row, print_table, score_table
from examples.experiments.bench.grey_style import load_grey_style
from examples.experiments.bench.tellings import WORDING, telling_items, wording_loss, wording_rows
from stickerforge.errors import CheckFailed
from stickerforge.models.judge.model import Judge, load_judge

DELIVERED = "delivered"  # folder of the tellings as `generate` delivers them


def parse_arguments() -> argparse.Namespace:
    """What the call says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="sticker-mini")
    parser.add_argument("--adapter", action="append", default=[])
    parser.add_argument(
        "--set", action="append", default=[], dest="settings", help="as of stickerforge generate"
    )
    parser.add_argument(
        "--world",
        type=int,
        choices=(2, 3),
        default=3,
        help="the version of sticker-mini whose withheld combinations are asked for",
    )
    parser.add_argument("--lists", choices=("test", "dev"), default="dev")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("bench"))
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--write-prompts", type=Path)
    parser.add_argument(
        "--against",
        type=Path,
        help="another model's pictures of the same prompts, or its bench-*.json: "
        "differences to it, prompt by prompt",
    )
    parser.add_argument(
        "--max-loss",
        type=float,
        metavar="POINTS",
        help="with --against: exit 5 where a row has surely lost more than that",
    )
    args = parser.parse_args()
    if args.max_loss is not None and not args.against:
        parser.error("--max-loss needs --against")
    if args.against and not args.against.exists():
        parser.error(f"--against: there is no {args.against}")
    return args


def generate_options(args: argparse.Namespace) -> list[str]:
    """What the call says to `stickerforge generate`."""
    pairs = [("--model", args.model)]
    pairs += [("--adapter", name) for name in args.adapter]
    pairs += [("--set", text) for text in args.settings]
    return [part for pair in pairs for part in pair]


def score_folder(items: Sequence[Item], folder: Path, judge: Judge, version: int) -> dict[str, Row]:
    """The rows of the pictures in a folder; none about style where these were finished.

    A family of which there is no picture at all was not asked for.
    """
    there = {item.family for item in items if find_picture(item, folder)}
    items = [item for item in items if item.family in there]
    scenes, finished = bench_world(version), is_finished(folder)
    grey = None if finished else load_grey_style()
    find = partial(find_picture, folder=folder)
    rows = score_table(items, find, judge, scenes, version, grey)
    if finished:
        print(f"{folder}: no style, as colours were made flat: draw with output.colours=drawn")
    delivered = folder.parent / DELIVERED / "pictures"
    rows |= wording_rows(rows, items, delivered, judge, version) if WORDING in there else {}
    return {name: row for name, row in rows.items() if not (finished and "style" in name)}


def picture_scores(rows: Mapping[str, Row]) -> Scores:
    """What a record keeps of each picture, for comparisons."""
    return {
        name: {each: round(value, 4) for each, value in row.made.items()}
        for name, row in rows.items()
    }


def main() -> None:
    """The command line."""
    args = parse_arguments()
    items, started = bench_items(args.lists, args.quick, args.world), time.monotonic()
    items += telling_items(args.lists, args.quick, args.world)
    if args.write_prompts:
        write_prompts(prompt_rows(items), args.write_prompts)
        return
    if not args.pictures:
        generate_images(items, args.out, generate_options(args))
        told, reduced = [item for item in items if item.family == WORDING], "words.unknown=replace"
        generate_images(told, args.out / DELIVERED, [*generate_options(args), "--set", reduced])
    judge = load_judge("judge")
    rows = score_folder(items, args.pictures or args.out / "pictures", judge, args.world)
    groups = {each: group for row in rows.values() for each, group in row.groups.items()}
    record = {
        "model": args.model,
        "adapters": args.adapter,
        "settings": args.settings,
        "lists": args.lists,
        "world": args.world,
        "quick": args.quick,
        "judge": judge.sha256,
        "figures": {name: row.figure() for name, row in rows.items()},
        "scores": picture_scores(rows),
        "groups": groups,
    }
    print_table(record["figures"])
    if f"{WORDING}: subject" in rows:
        record["wording"] = wording_loss(rows)
        print_changes({"tellings against plain names": record["wording"]}, [])
    if "single: style in grey" in rows:
        grey = load_grey_style()
        record["grey"] = {"accuracy": grey.accuracy, "tested": grey.tested}
        print(f"(in grey right on {grey.mean_accuracy:.0%} of {grey.tested} other renders)")
    worse: list[str] = []
    if args.against:
        others = (
            picture_scores(score_folder(items, args.against, judge, args.world))
            if args.against.is_dir()
            else read_scores(args.against, record)
        )
        record["changes"] = changes(record["scores"], others, groups)
        worse = worse_rows(record["scores"], others, groups, (args.max_loss or 0) / 100)
        print_changes(record["changes"], worse)
    record["seconds"] = round(time.monotonic() - started)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / f"bench-{args.lists}.json").write_text(json.dumps(record, indent=1) + "\n")
    if worse and args.max_loss is not None:
        raise SystemExit(CheckFailed.code)


if __name__ == "__main__":
    main()
