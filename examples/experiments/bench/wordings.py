"""Do words that mean nothing change nothing? The same things, asked for in many ways.

python -m examples.experiments.bench.wordings [--model sticker-mini] [--model FOLDER ...]
    [--lists dev|test] [--quick] [--set NAME=VALUE ...] [--out FOLDER]

Pictures are as a user gets them; `--set words.unknown=keep --out OTHER` measures the model alone.
Everything is drawn on the same seeds and read by the judge. For every model a table: learned
subjects in the house style, each wording's share of right subjects beside the plain name's (the
recipe's `wordings.txt` says which may be taught and which never are); then modifiers and styles,
asked for plainly and in wordings that are never taught. Several models stand side by side, paired:
other weights of sticker-mini are a folder, for instance of an earlier commit:

    git archive COMMIT stickerforge/models/mini | tar x -C FOLDER

Needs the art of the recipe (fetch.py, art.py).
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from examples.experiments.bench.bench_images import find_picture, run_generate
from examples.experiments.bench.wording_items import WordingItem, read_wordings, wording_items
from examples.recipes.mini.vocabulary import HUES
from stickerforge.evaluation.statistics import paired_difference
from stickerforge.models.judge.model import Judge, load_judge
from stickerforge.models.judge.network import Readings

MAX_SMALL_SIDE = (
    0.62  # of the picture's side: what is asked for small is drawn in a box of at most so much
)
MIN_GROUND_ALPHA = 0.9  # mean alpha of a picture with a ground
TOP_LABELS = 4  # likeliest labels that what is worn must be among


def is_right(
    item: WordingItem, picture: Image.Image, read: Readings, row: int, judge: Judge
) -> float:
    """Whether a picture shows what its row is about."""
    if item.row.startswith("wording"):
        return float(judge.labels[int(read.subject[row].argmax())] == judge.label_of[item.subject])
    if item.row.startswith("style"):
        return float(
            judge.styles[int(read.style[row].argmax())] == item.row.removeprefix("style: ")
        )
    alpha = np.asarray(picture.getchannel("A"), float) / 255
    if item.row == "small":
        rows, columns = np.where(alpha > 0.5)
        return float(
            len(rows) > 0
            and max(np.ptp(rows), np.ptp(columns)) + 1 <= MAX_SMALL_SIDE * alpha.shape[0]
        )
    if item.row == "ground":
        return float(alpha.mean() > MIN_GROUND_ALPHA)
    if item.row == "two":
        return float(int(read.count[row].argmax()) == 1)
    if item.row == "crown":
        return float(
            judge.labels.index(judge.label_of["crown"])
            in read.presence[row].topk(TOP_LABELS).indices.tolist()
        )
    hues = {hue: float(read.colours[row, judge.colours.index(hue)]) for hue in HUES}
    return float(max(hues, key=hues.__getitem__) == item.colour)


def score_items(
    items: Sequence[WordingItem], picture: Callable[[WordingItem], Image.Image | None], judge: Judge
) -> dict[str, float]:
    """{id: right or not}; a picture that is missing shows nothing."""
    results: dict[str, float] = {}
    for start in range(0, len(items), 256):
        part = items[start : start + 256]
        pictures = [picture(each) or Image.new("RGBA", (64, 64)) for each in part]
        read = judge.read(judge.pictures(pictures))
        results |= {
            each.id: is_right(each, pictures[row], read, row, judge)
            for row, each in enumerate(part)
        }
    return results


def generate_images(
    items: Sequence[WordingItem], model: str, out: Path, settings: Sequence[str]
) -> None:
    """Make what is missing."""
    rows = [
        {"id": each.id, "prompt": each.prompt, "style": each.style, "seed": each.seed}
        for each in items
    ]
    chosen = [part for text in settings for part in ("--set", text)]
    run_generate(rows, out, ["--model", model, "--quiet", *chosen])


def group_rows(
    items: Sequence[WordingItem], which: str
) -> dict[str, tuple[list[list[WordingItem]], list[list[WordingItem]]]]:
    """{row: (the worded ones, the plain ones)}, each by subject, in one order."""
    plain: dict[tuple[str, str], list[WordingItem]] = {}
    worded: dict[str, dict[str, list[WordingItem]]] = {}
    held = set(read_wordings(which))
    for each in items:
        group = "wording" if each.row.startswith("wording") else each.row
        if each.worded == "{}":
            plain.setdefault((group, each.subject), []).append(each)
            continue
        kind = "never taught, all" if each.worded in held else "may be taught, all"
        for row in (each.row, f"wording: {kind}") if group == "wording" else (each.row,):
            worded.setdefault(row, {}).setdefault(each.subject, []).append(each)
    return {
        row: (
            list(by.values()),
            [plain["wording" if row.startswith("wording") else row, subject] for subject in by],
        )
        for row, by in worded.items()
    }


def score_table(
    items: Sequence[WordingItem], results: Sequence[dict[str, float]], which: str
) -> list[dict[str, object]]:
    """A line for each row: for each model the plain mean, the worded mean, and the difference."""
    lines = []
    for row, (worded, plain) in group_rows(items, which).items():
        line: dict[str, object] = {"row": row, "subjects": len(worded)}
        for number, result in enumerate(results):
            both = [
                np.array([np.mean([result[each.id] for each in own]) for own in group])
                for group in (worded, plain)
            ]
            line[f"model {number}"] = {
                "worded": both[0].mean(),
                "plain": both[1].mean(),
                "change": paired_difference(both[0] - both[1]),
            }
        lines.append(line)
    return lines


def print_table(lines: Sequence[dict[str, object]], models: Sequence[str]) -> None:
    """Print the table."""
    print(f"{'':44}" + "".join(f"{model[-24:]:>34}" for model in models))
    print(f"{'':44}" + "".join(f"{'plain':>8}{'worded':>8}{'points (95 %)':>18}" for _ in models))
    for line in lines:
        cells = ""
        for number in range(len(models)):
            cell = line[f"model {number}"]
            assert isinstance(cell, dict)
            change, spread = cell["change"], ""
            if change["low"] is not None:
                spread = f" ({100 * change['low']:+.0f} to {100 * change['high']:+.0f})"
            points = f"{100 * change['change']:>+7.0f}{spread}"
            cells += f"{cell['plain']:>8.0%}{cell['worded']:>8.0%}{points}".ljust(34)
        print(f"{line['row']:44}{cells}", flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--lists", choices=("test", "dev"), default="dev")
    parser.add_argument(
        "--quick", action="store_true", help="half of the subjects, and the commonest wordings only"
    )
    parser.add_argument(
        "--set", action="append", default=[], dest="settings", help="as of stickerforge generate"
    )
    parser.add_argument("--out", type=Path, default=Path("wordings"))
    args = parser.parse_args()
    models, judge, results = args.model or ["sticker-mini"], load_judge("judge"), []
    items = wording_items(args.lists, args.quick)
    for number, model in enumerate(models):
        folder = args.out / f"{number}-{Path(model).name}-{args.lists}"
        generate_images(items, model, folder, args.settings)
        results.append(
            score_items(
                items, lambda each, folder=folder: find_picture(each, folder / "pictures"), judge
            )
        )
    lines = score_table(items, results, args.lists)
    (args.out / f"wordings-{args.lists}.json").write_text(
        json.dumps({"models": models, "settings": args.settings, "rows": lines}, indent=1) + "\n"
    )
    print_table(lines, models)


if __name__ == "__main__":
    main()
