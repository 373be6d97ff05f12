"""Style Tailoring on sticker-mini: a house style that it does not know, eight arms, two seeds.

python -m examples.experiments.style_tailoring.run sets OUT         the pictures of domain and house
python -m examples.experiments.style_tailoring.run domain OUT SEED  train the domain stage
python -m examples.experiments.style_tailoring.run content OUT      draw and pick contents
python -m examples.experiments.style_tailoring.run arms OUT         train and draw every arm; any
                                                                    number of processes at once
python -m examples.experiments.style_tailoring.run measure OUT      the tables of what is drawn
python -m examples.experiments.style_tailoring.run sheet OUT        a sheet to judge by eye

Seeds are 0 and 1; the domain stage of seed 0 draws the content set of both. All of it is kept and
not made twice. Adapters and sets lie in STICKERFORGE_HOME. Needs the art of the recipe (fetch.py,
art.py).
"""

import argparse
import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from examples.experiments.style_tailoring.arms import (
    ARMS,
    PHRASES,
    TRAINED,
    VARIANTS,
    Training,
    adapter_of,
    model_name,
    train_arm,
    train_domain,
)
from examples.experiments.style_tailoring.content import draw_content
from examples.experiments.style_tailoring.domain import write_domain
from examples.experiments.style_tailoring.house import write_house
from examples.experiments.style_tailoring.house_scenes import house_scenes
from examples.experiments.style_tailoring.pictures import SEEDS, draw_arm_pictures, is_drawn
from examples.experiments.style_tailoring.results import write_results
from examples.experiments.style_tailoring.sheet import write_sheet
from examples.experiments.style_tailoring.tables import write_table
from stickerforge.rating.rating_set import set_folder

DOMAIN = Training(steps=200)
TRAINING = Training(steps=150)
# What needs no content set comes first, and what the claims are about before the controls.
CLAIMED = ("base", "style", "domain", "prompt", "joint -8", "content")
CONTROLS = ("mixed", "sequential", "joint", "reversed")
QUEUE = [
    *product(SEEDS, CLAIMED),
    *product(SEEDS, CONTROLS),
    *product(SEEDS, ("prompt flat",)),
    *product((0,), ("mixed -8", "style scenes", "joint -8 scenes", "style twice")),
]


def note(out: Path, what: str, started: float, **more: object) -> None:
    """Say what was done, and keep how long it took: wall time and the processor's."""
    row = {"what": what, "seconds": round(time.monotonic() - started), **more}
    row["processor_seconds"] = round(time.process_time())
    with (out / "times.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps(row), flush=True)


def make_sets(out: Path) -> None:
    """The pictures of the domain, and the style set of every seed."""
    write_domain(out / "domain")
    for seed in SEEDS:
        table = write_house(set_folder(model_name(seed), "style"))
        table.replace(table.with_name("style.jsonl"))
        folder = set_folder(model_name(seed, scenes=True), "style")
        write_table(folder, "style.jsonl", list(house_scenes()))


def make_content(out: Path) -> tuple[int, int]:
    """(pictures that passed, candidates)."""
    names = [model_name(seed, scenes=scenes) for seed in SEEDS for scenes in (False, True)]
    folders = [set_folder(name, "match") for name in names]
    return draw_content(adapter_of("domain", 0), out / "content", folders)


def make_arms(out: Path) -> None:
    """Train and draw every arm of every seed that no other process has begun."""
    for seed, arm in QUEUE:
        with claim(out / "claims" / f"{arm}-{seed}") as free:
            if free and not is_drawn(arm, out, seed):
                make_arm(arm, seed, out)


def make_arm(arm: str, seed: int, out: Path) -> None:
    """Train an arm where it has to be, and draw its pictures."""
    if arm in (*TRAINED, *VARIANTS):
        started = time.monotonic()
        train_arm(arm, seed, TRAINING)
        note(out, f"train {arm} {seed}", started)
    started = time.monotonic()
    draw_arm_pictures(arm, seed, out)
    note(out, f"draw {arm} {seed}", started)


@contextmanager
def claim(path: Path) -> Iterator[bool]:
    """Whether no other process works on something; it is kept from others meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def main() -> None:
    """The command line."""
    assert {arm for _, arm in QUEUE} == {"base", *ARMS, *VARIANTS, *PHRASES}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("sets", "domain", "content", "arms", "measure", "sheet"))
    parser.add_argument("out", type=Path)
    parser.add_argument("seed", type=int, choices=SEEDS, nargs="?", default=0)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    started, out = time.monotonic(), args.out
    if args.part == "sets":
        make_sets(out)
    elif args.part == "domain":
        train_domain(out / "domain" / "metadata.jsonl", args.seed, DOMAIN)
    elif args.part == "content":
        passed, drawn = make_content(out)
        note(out, "content", started, passed=passed, candidates=drawn)
        return
    elif args.part == "arms":
        make_arms(out)
    elif args.part == "measure":
        write_results(out)
    else:
        write_sheet(out)
    note(out, f"{args.part} {args.seed}", started)


if __name__ == "__main__":
    main()
