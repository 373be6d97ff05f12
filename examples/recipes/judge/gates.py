"""The gates of sticker-judge, on what ships.

python -m examples.recipes.judge.gates [--name judge|second]

Fetches and renders what is missing (about six minutes), then takes a minute. For their subject
drawings are augmented as in training but with other draws; for their style they are shown as
`evaluate` shows them. The scenes are those of another seed, with everything that the judges never
saw together. Floors are for judges trained without a GPU. Beside the table:
runs/judge/confusions.png, the thirty commonest mistakes, each as the picture and a drawing of what
it was taken for.
"""

import argparse
import json
import time
from collections import Counter

import numpy as np
import torch
from PIL import Image, ImageDraw

from examples.recipes.judge.augmentation import augment
from examples.recipes.judge.dataset import (
    JudgeDataset,
    load_drawings,
    load_scenes,
    render_high_contrast,
    render_scenes,
)
from examples.recipes.judge.settings import ALL_STYLES, DATA, PIXELS, RUNS
from examples.recipes.mini.art import write_sprites
from examples.recipes.mini.captions import REGISTERS
from examples.recipes.mini.fetch import PACKAGES, fetch
from examples.recipes.mini.settings import DATA as ART
from examples.recipes.mini.sprites import to_image
from stickerforge.models.judge.model import Judge, load_judge
from stickerforge.models.judge.network import Readings

FLOORS = {
    "seen pairs, top-1": 0.80,
    "withheld pairs, top-1": 0.45,
    "withheld pairs, top-5": 0.65,
    "style": 0.95,
    "scene presence, mAP": 0.45,
    "count": 0.60,
    "text-to-image recall@1 of 1,000": 0.30,
}


def prepare() -> None:
    """Fetch the art and render what is missing."""
    for folder, package in PACKAGES.items():
        fetch(folder, package)
    if not (ART / "sprites.npy").exists():
        write_sprites(ART / "sprites.npy")
    DATA.mkdir(parents=True, exist_ok=True)
    if not (DATA / "high_contrast.npy").exists():
        render_high_contrast()
    if not (DATA / "test.npy").exists():
        render_scenes("test")


def read_all(judge: Judge, pictures: torch.Tensor) -> Readings:
    """In micro-batches."""
    parts = [judge.read(chunk) for chunk in pictures.split(256)]
    return Readings(
        *(
            torch.cat([getattr(part, field) for part in parts])
            for field in Readings.__dataclass_fields__
        )
    )


def augment_rows(stock: JudgeDataset, rows: np.ndarray, seed: int) -> torch.Tensor:
    """Drawings under new augmentation."""
    rng = np.random.default_rng((9, seed))
    return torch.cat(
        [
            augment(stock.rgba[part], rng, alone=True)
            for part in np.array_split(rows, max(1, len(rows) // 256))
        ]
    )


def plain_pictures(stock: JudgeDataset, rows: np.ndarray, judge: Judge) -> torch.Tensor:
    """Pictures as `evaluate` shows them to a judge: on its usual ground, undisturbed."""
    return judge.pictures([to_image(rgba) for rgba in stock.rgba[rows]])


def accuracy(logits: torch.Tensor, wanted: np.ndarray, among: int = 1) -> float:
    """Share of rows whose label is among the most likely ones."""
    return float(
        (logits.topk(among, 1).indices == torch.from_numpy(wanted)[:, None]).any(1).float().mean()
    )


def average_precision(scores: np.ndarray, present: np.ndarray) -> float:
    """Mean precision at the rank of every positive."""
    hits = present[np.argsort(-scores, kind="stable")]
    return float((np.cumsum(hits)[hits] / (np.flatnonzero(hits) + 1)).mean())


def presence_map(judge: Judge, stock: JudgeDataset, read: Readings) -> float:
    """Mean average precision over the labels that occur."""
    present = np.zeros((len(stock), len(judge.labels)), bool)
    for row, labels in enumerate(stock.present):
        present[row, labels[labels >= 0]] = True
    return float(
        np.mean(
            [
                average_precision(read.presence[:, label].numpy(), present[:, label])
                for label in np.flatnonzero(present.any(0))
            ]
        )
    )


def caption_recall(judge: Judge, stock: JudgeDataset, rows: np.ndarray) -> float:
    """How often the comprehensive caption of a scene is nearest to its picture, among all these."""
    captions = [stock.captions[row][REGISTERS.index("comprehensive")] for row in rows]
    logits = judge.encode_text(captions) @ judge.encode_image(plain_pictures(stock, rows, judge)).T
    return float((logits.argmax(1) == torch.arange(len(rows))).float().mean())


def confusions(
    judge: Judge, stock: JudgeDataset, rows: np.ndarray, read: Readings, count: int = 30
) -> list[str]:
    """The commonest mistakes, and a sheet of them."""
    predicted = read.subject.argmax(1).numpy()
    wrong = Counter(
        (int(stock.subject[row]), int(label))
        for row, label in zip(rows, predicted, strict=True)
        if stock.subject[row] != label
    )
    firsts = {int(label): number for number, label in reversed(list(enumerate(stock.subject)))}
    page = Image.new("RGB", (6 * 220, -(-count // 6) * 110), (235, 235, 235))
    pen = ImageDraw.Draw(page)
    lines = []
    for number, ((true, taken), times) in enumerate(wrong.most_common(count)):
        x, y = number % 6 * 220, number // 6 * 110
        for offset, label in ((0, true), (90, taken)):
            if label in firsts:
                drawing = to_image(stock.rgba[firsts[label]])
                page.paste(drawing, (x + offset + 6, y + 4), drawing)
        pen.text(
            (x + 6, y + 78),
            f"{judge.labels[true][:34]}\nas {judge.labels[taken][:31]} x{times}",
            fill=(0, 0, 0),
            font_size=11,
        )
        lines.append(f"{judge.labels[true]} as {judge.labels[taken]} ({times})")
    RUNS.mkdir(parents=True, exist_ok=True)
    page.save(RUNS / "confusions.png")
    return lines


def measure(judge: Judge) -> tuple[dict[str, float], list[str]]:
    """(every score by name, the confusions)."""
    both = {seen: load_drawings(seen) for seen in (True, False)}
    rows = {seen: np.arange(len(stock)) for seen, stock in both.items()}
    read = {
        seen: read_all(judge, augment_rows(stock, rows[seen], int(seen)))
        for seen, stock in both.items()
    }
    scenes = load_scenes("test")
    of_scenes = read_all(judge, plain_pictures(scenes, np.arange(len(scenes)), judge))
    styles = np.concatenate([stock.style for stock in both.values()])
    undisturbed = torch.cat(
        [
            read_all(judge, plain_pictures(stock, rows[seen], judge)).style
            for seen, stock in both.items()
        ]
    )
    scores = {
        "seen pairs, top-1": accuracy(read[True].subject, both[True].subject),
        "withheld pairs, top-1": accuracy(read[False].subject, both[False].subject),
        "withheld pairs, top-5": accuracy(read[False].subject, both[False].subject, 5),
        "style": accuracy(undisturbed, styles),
        "scene presence, mAP": presence_map(judge, scenes, of_scenes),
        "count": accuracy(of_scenes.count, scenes.count),
        "text-to-image recall@1 of 1,000": caption_recall(judge, scenes, np.arange(1000)),
    }
    for number, style in enumerate(ALL_STYLES):
        of_style = {seen: stock.style == number for seen, stock in both.items()}
        seen, withheld = (
            accuracy(read[part].subject[of_style[part]], both[part].subject[of_style[part]])
            for part in (True, False)
        )
        print(f"  {style:14} seen pairs {seen:>6.1%}, withheld pairs {withheld:>6.1%}")
    augmented = accuracy(torch.cat([read[part].style for part in both]), styles)
    print(f"  style of augmented drawings: {augmented:.1%}")
    return scores, confusions(judge, both[False], rows[False], read[False])


def read_seconds(judge: Judge, count: int = 64) -> float:
    """How long reading so many 512 px pictures takes."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (512, 512, 4), np.uint8))
    judge.read(judge.pictures([image]))
    started = time.monotonic()
    judge.read(judge.pictures([image] * count))
    return time.monotonic() - started


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--name", choices=("judge", "second"), default="judge")
    args = parser.parse_args()
    prepare()
    judge = load_judge(args.name)
    scores, mistakes = measure(judge)
    for key, value in scores.items():
        verdict = "passed" if value >= FLOORS[key] else "FAILED"
        print(f"{key:34} {value:6.1%}   floor {FLOORS[key]:.0%}   {verdict}")
    print(
        f"64 pictures of 512 px: {read_seconds(judge):.2f} s on {torch.get_num_threads()} cores "
        f"(at most 3), {PIXELS} px read"
    )
    print("commonest confusions of withheld pairs: " + "; ".join(mistakes))
    (RUNS / f"gate-{args.name}.json").write_text(
        json.dumps(scores | {"confusions": mistakes}, indent=1)
    )
