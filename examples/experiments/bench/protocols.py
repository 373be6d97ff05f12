"""What customize and merge are worth, on StickerBench's scale, for what the model never saw.

python -m examples.experiments.bench.protocols [--protocol subject,style,merge] [--subjects 12]
    [--lists dev|test] [--out bench-taught]

subject  held-out subjects, each learned from its drawings in three styles (the fourth rotates) and
         asked for in the fourth and in ten scenes; the same with plain words and without adapter
style    Fluent's high contrast, which the model never saw, learned from ten drawings and asked for
         with thirty other subjects; the same without adapter
merge    six of the subjects, each merged with four styles that were learned from ten drawings under
         made-up names; apart, those styles in which the subject itself was shown (reciting is
         enough there) and those in which it was not

Beside each score stands that of real renders of the same scenes, and of pictures of other prompts;
intervals are over subjects. `--subjects 56` takes all held-out subjects but those of the list dev.
Adapters and pictures lie in the folder and are not made twice, so an interrupted run goes on; other
settings need another folder. The lists are fixed by hash: `test` is for results, `dev`, four other
subjects, for choosing settings. Needs the art of the recipes (fetch.py, art.py, judge/dataset.py).
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from examples.experiments.bench.bench_images import find_picture, prompt_rows, write_prompts
from examples.experiments.bench.bench_items import CLEAR, Item
from examples.experiments.bench.bench_scores import other_rows, read_pictures
from examples.experiments.bench.bench_table import BLANK, Figure, Row, print_table
from examples.experiments.bench.protocol_items import (
    MERGE_SUBJECTS,
    NEW_STYLE,
    STYLE_DRAWINGS,
    STYLE_NAMES,
    STYLE_SUBJECTS,
    TIMES,
    Arm,
    held_out_subjects,
    item_scores,
    learned_subjects,
    render_target,
    scene_items,
    twin_names,
)
from examples.experiments.bench.protocol_training import (
    customize_style,
    customize_subject,
    run_command,
)
from examples.recipes.mini.art import Subject
from examples.recipes.mini.scene import Thing, Truth
from examples.recipes.mini.settings import STYLES
from examples.recipes.mini.vocabulary import short_name
from examples.recipes.mini.world import World, make_world
from stickerforge.models.checksums import fingerprint
from stickerforge.models.judge.model import Judge, load_judge
from stickerforge.models.judge.network import Readings
from stickerforge.models.registry import find_model


def subject_arms(
    home: Path, scenes: World, subjects: Sequence[Subject], extra: Sequence[str]
) -> list[Arm]:
    """Each subject with its adapter, and without."""
    arms = []
    for number, subject in enumerate(subjects):
        held, name = (
            number % len(STYLES),
            customize_subject(home, scenes, subject, number % len(STYLES), extra),
        )
        for kind, word, options in (
            ("taught", f"<{name}>", ("--adapter", name)),
            ("untaught", short_name(subject.name), ()),
        ):
            arms.append(
                Arm(
                    f"{kind}-{name}",
                    kind,
                    options,
                    tuple(scene_items(subject, scenes, word, held, f"{kind}-{name}")),
                )
            )
    return arms


def style_arms(home: Path, scenes: World, extra: Sequence[str]) -> list[Arm]:
    """Other subjects in the new style, with its adapter, and by its name."""
    name = next(iter(STYLE_NAMES))
    customize_style(home, scenes, name, STYLE_NAMES[name], extra)
    arms = []
    for kind, options, words in (
        ("taught style", ("--style", name), ""),
        ("untaught style", (), f", in {NEW_STYLE} style"),
    ):
        mark, rows = kind.replace(" ", "-"), []
        for number, subject in enumerate(
            learned_subjects(scenes)[STYLE_DRAWINGS : STYLE_DRAWINGS + STYLE_SUBJECTS]
        ):
            truth = Truth(NEW_STYLE, (Thing(subject),), "", CLEAR)
            rows.append(
                Item(
                    f"{mark}-{number:02d}",
                    "new style",
                    short_name(subject.name) + words,
                    1000,
                    subject.name,
                    truth,
                )
            )
        arms.append(Arm(mark, kind, options, tuple(rows)))
    return arms


def merge_arms(
    home: Path, scenes: World, subjects: Sequence[Subject], extra: Sequence[str]
) -> list[Arm]:
    """Six subjects in four styles."""
    for name, style in STYLE_NAMES.items():
        customize_style(home, scenes, name, style, extra)
    arms = []
    for number, subject in enumerate(subjects[:MERGE_SUBJECTS]):
        adapter = customize_subject(home, scenes, subject, number % len(STYLES), extra)
        for name, style in STYLE_NAMES.items():
            merged = f"{adapter}-{name}"
            if not (home / "adapters" / merged / "adapter.json").exists():
                run_command(home, "merge", adapter, name, "--name", merged, "--quiet")
            truth = Truth(style, (Thing(subject),), "", CLEAR)
            rows = [
                Item(
                    f"{merged}-{seed}",
                    "new style",
                    f"<{adapter}> in {name} style",
                    1000 + seed,
                    subject.name,
                    truth,
                )
                for seed in range(TIMES)
            ]
            style_shown = style in STYLES and STYLES.index(style) != number % len(STYLES)
            arms.append(
                Arm(
                    merged,
                    "merged, shown" if style_shown else "merged, new",
                    ("--adapter", merged),
                    tuple(rows),
                )
            )
    return arms


def generate_arm(home: Path, arm: Arm) -> None:
    """Its pictures, those that are missing."""
    folder = home.parent / "made" / arm.name
    folder.mkdir(parents=True, exist_ok=True)
    write_prompts(prompt_rows(arm.items), folder / "prompts.jsonl")
    options = [
        "--size",
        "native",
        "--set",
        "output.sheet=false",
        "--force",
        "--quiet",
        *arm.options,
    ]
    run_command(
        home, "generate", "--prompts", str(folder / "prompts.jsonl"), "--out", str(folder), *options
    )


def score_arms(
    arms: Sequence[Arm],
    open_picture: Callable[[Arm, Item], Image.Image | None],
    scenes: World,
    judge: Judge,
) -> dict[str, Figure]:
    """{"taught: subject": its figure...} over the arms of one kind."""
    twins, results = twin_names(), {}
    for kind in dict.fromkeys(arm.kind for arm in arms):
        pairs = [(arm, item) for arm in arms if arm.kind == kind for item in arm.items]
        items = [item for _, item in pairs]
        keys = [f"{arm.name}/{item.id}" for arm, item in pairs]
        groups = [item.group for item in items]

        def scores(read: Readings, rows: Sequence[int]) -> dict[str, dict[str, float]]:
            found: dict[str, dict[str, float]] = {}
            for key, item, row in zip(keys, items, rows, strict=True):  # noqa: B023
                for name, value in item_scores(item, read, row, judge, twins).items():
                    found.setdefault(name, {})[key] = value
            return found

        own = range(len(items))
        read = read_pictures([open_picture(*pair) or BLANK for pair in pairs], judge)
        ours = scores(read, own)
        best = scores(read_pictures([render_target(item, scenes) for item in items], judge), own)
        others = [scores(read, rows) for rows in other_rows(groups)]
        for name in ours:
            chance = [np.mean(list(each[name].values())) for each in others]
            row = Row(
                ours[name],
                best[name],
                dict(zip(keys, groups, strict=True)),
                float(np.mean(chance)) if chance else None,
            )
            results[f"{kind}: {name}"] = row.figure()
    return results


def check_settings(out: Path, settings: Sequence[str]) -> None:
    """Stop where the folder holds what was taught with other settings or by another model."""
    record = {"settings": list(settings), "model": fingerprint(find_model("sticker-mini").folder)}
    file = out / "settings.json"
    if file.exists() and json.loads(file.read_text()) != record:
        raise SystemExit(
            f"{out} holds what was taught with other settings or by another model: "
            "give another --out"
        )
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(record) + "\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--protocol", default="subject,style,merge")
    parser.add_argument("--subjects", type=int, default=12)
    parser.add_argument("--lists", choices=("dev", "test"), default="dev")
    parser.add_argument("--out", type=Path, default=Path("bench-taught"))
    parser.add_argument(
        "--set", action="append", default=[], dest="settings", help="as of stickerforge customize"
    )
    args = parser.parse_args()
    check_settings(args.out, args.settings)
    scenes, judge, started = make_world("all"), load_judge("judge"), time.monotonic()
    home, extra = args.out / "home", [part for text in args.settings for part in ("--set", text)]
    subjects = held_out_subjects(scenes, args.lists, args.subjects)
    makers = {
        "subject": lambda: subject_arms(home, scenes, subjects, extra),
        "style": lambda: style_arms(home, scenes, extra),
        "merge": lambda: merge_arms(home, scenes, subjects, extra),
    }
    results = {}
    for name in args.protocol.split(","):
        arms = makers[name]()
        for arm in arms:
            generate_arm(home, arm)
        results |= score_arms(
            arms, lambda arm, item: find_picture(item, args.out / "made" / arm.name), scenes, judge
        )
        print_table(results)
    record = {
        "lists": args.lists,
        "subjects": [subject.name for subject in subjects],
        "settings": args.settings,
        "judge": judge.sha256,
    }
    record |= {"seconds": round(time.monotonic() - started), "figures": results}
    file = args.out / f"taught-{args.lists}.json"
    before = json.loads(file.read_text())["figures"] if file.exists() else {}
    file.write_text(json.dumps(record | {"figures": before | results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
