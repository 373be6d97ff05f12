"""StickerBench: one scale for every model, measured by a judge that never saw a generated picture.

python -m examples.experiments.bench.sticker_bench [--model sticker-mini] [--adapter NAME] [--quick]
    [--lists dev|test] [--out FOLDER]
python -m examples.experiments.bench.sticker_bench --pictures FOLDER
    pictures made elsewhere, named ID.png for the ids of --write-prompts
python -m examples.experiments.bench.sticker_bench --write-prompts FILE
    the prompts, as `stickerforge generate --prompts` takes them

Seven families of prompts over StickerWorld, each about combinations that were withheld from
sticker-mini: from version 2, or (--world 3) from version 3, which goes on from it, so that its
lists hold only what neither was shown. Beside what the judge finds in the generated pictures
stands what it finds in real renders of the same prompts, which is the most it can, and in pictures
of other prompts, which is chance; a number, a colour, an accessory or a long prompt counts only
where the thing is right. Pictures lie in FOLDER and are not made twice, so an interrupted run goes
on. Settings are chosen on the list `dev`; `test` is read once a version. Needs the art of the
recipe (fetch.py, art.py).
"""

import argparse
import json
import time
from pathlib import Path

from examples.experiments.bench.bench_images import (
    find_picture,
    generate_images,
    write_prompts,
)
from examples.experiments.bench.bench_items import bench_items, bench_world
from examples.experiments.bench.bench_table import print_table, score_table
from stickerforge.models.judge.model import load_judge


def main() -> None:
    """The command line."""
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
        default=2,
        help="the version of sticker-mini whose withheld combinations are asked for",
    )
    parser.add_argument("--lists", choices=("test", "dev"), default="dev")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("bench"))
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--write-prompts", type=Path)
    args = parser.parse_args()
    items, started = bench_items(args.lists, args.quick, args.world), time.monotonic()
    if args.write_prompts:
        write_prompts(items, args.write_prompts)
        return
    if not args.pictures:
        options = [
            "--model",
            args.model,
            *(part for name in args.adapter for part in ("--adapter", name)),
        ]
        generate_images(
            items,
            args.out,
            [*options, *(part for text in args.settings for part in ("--set", text))],
        )
    folder = args.pictures or args.out / "pictures"
    judge = load_judge("judge")
    rows = score_table(
        items, lambda item: find_picture(item, folder), judge, bench_world(args.world), args.world
    )
    figures = {name: row.figure() for name, row in rows.items()}
    args.out.mkdir(parents=True, exist_ok=True)
    record = {
        "model": args.model,
        "adapters": args.adapter,
        "settings": args.settings,
        "lists": args.lists,
        "world": args.world,
        "quick": args.quick,
    }
    record |= {
        "judge": judge.sha256,
        "seconds": round(time.monotonic() - started),
        "figures": figures,
    }
    (args.out / f"bench-{args.lists}.json").write_text(json.dumps(record, indent=1) + "\n")
    print_table(figures)


if __name__ == "__main__":
    main()
