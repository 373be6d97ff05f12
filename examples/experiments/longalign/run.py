"""Long prompts read to the last word (LongAlign, arXiv:2410.11817), on sticker-mini.

python -m examples.experiments.longalign.run retrieval OUT [--count 1000]
    (a) which of 1,000 long captions belongs to a picture
python -m examples.experiments.longalign.run family OUT --arm cut --arm compat --adapter NAME
    (b) long prompts in four bins of length: facts with the right thing, of every way to read them;
    with --remarks wordnet, in other people's words
python -m examples.experiments.longalign.run reward OUT --base NAME --run 0.3 NAMES --run 1 NAMES …
    (c) what adapters of `tailor prompt --reward` gained, drifted and lost of their variety
python -m examples.experiments.longalign.run cost OUT
    what long prompts cost; nothing else should run

Results are OUT/NAME.json, pictures are kept in OUT and not made twice. `longalign.results` prints
the tables. Needs the art of the recipe (fetch.py, art.py).
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any, get_args

from examples.experiments.longalign import cost, long_family, retrieval, reward_arms
from examples.experiments.longalign.long_captions import Source
from examples.experiments.longalign.long_family import PROMPTS, long_items, measure_family
from examples.experiments.longalign.pictures import MODES, REDUCED, adapter_arm, model_arm
from examples.experiments.longalign.retrieval import CAPTIONS, measure_retrieval
from examples.experiments.longalign.reward_arms import SEEDS, RewardRun, measure_rewards
from examples.experiments.longalign.sheet import contact_sheet

SHEET_PROMPTS = 16


def write_record(out: Path, name: str, record: dict[str, Any], started: float) -> None:
    """Write OUT/NAME.json, with how long it took."""
    out.mkdir(parents=True, exist_ok=True)
    record = record | {"seconds": round(time.monotonic() - started)}
    (out / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")


def parse_arguments() -> argparse.Namespace:
    """What the call says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    own = parts.add_parser("retrieval")
    own.add_argument("out", type=Path)
    own.add_argument("--count", type=int, default=CAPTIONS, help="captions")
    own = parts.add_parser("family")
    own.add_argument("out", type=Path)
    own.add_argument(
        "--arm", action="append", choices=(*MODES, REDUCED), help="a way to read, model alone"
    )
    own.add_argument("--adapter", action="append", default=[], help="NAME, a path, or NAME:MODE")
    own.add_argument("--count", type=int, default=PROMPTS, help="prompts")
    own.add_argument(
        "--remarks", choices=get_args(Source), default="own", help="whose; another OUT for each"
    )
    parts.add_parser("cost").add_argument("out", type=Path)
    own = parts.add_parser("reward")
    own.add_argument("out", type=Path)
    own.add_argument(
        "--run",
        action="append",
        nargs=2,
        required=True,
        metavar=("WEIGHT", "ADAPTERS"),
        help="states along a run, separated by commas",
    )
    own.add_argument(
        "--base", required=True, help="the adapter that the runs began from, or a way to read"
    )
    own.add_argument("--count", type=int, default=reward_arms.PROMPTS, help="prompts")
    own.add_argument("--seeds", type=int, default=SEEDS, help="of each prompt")
    return parser.parse_args()


def run_family(args: argparse.Namespace) -> dict[str, Any]:
    """Part (b): its record; the sheet is written."""
    arms = [model_arm(mode) for mode in args.arm or ("cut", "compat")]
    arms += [adapter_arm(text) for text in args.adapter]
    record = measure_family(arms, args.count, args.out, args.remarks)
    shown = long_items(min(SHEET_PROMPTS, args.count), args.remarks)
    contact_sheet(shown, arms, args.out).save(args.out / "family.png")
    return record


def run_reward(args: argparse.Namespace) -> dict[str, Any]:
    """Part (c): its record."""
    runs = [
        RewardRun(weight, tuple(map(adapter_arm, adapters.split(","))))
        for weight, adapters in args.run
    ]
    base = model_arm(args.base) if args.base in MODES else adapter_arm(args.base)
    return measure_rewards(runs, base, args.out, args.count, args.seeds)


def main() -> None:
    """The command line."""
    args, started = parse_arguments(), time.monotonic()
    if args.part == "retrieval":
        record, lines = measure_retrieval(args.count), retrieval.table
    elif args.part == "cost":
        record, lines = cost.measure_costs(), cost.table
    elif args.part == "reward":
        record, lines = run_reward(args), reward_arms.table
    else:
        record, lines = run_family(args), long_family.table
    write_record(args.out, args.part, record, started)
    print("\n".join(lines(record)))


if __name__ == "__main__":
    main()
