"""What sticker-judge learns from: drawings by themselves and scenes, each with its truth, disturbed afresh every time.

python examples/mini/judge_pictures.py [--look]     render what judge_train.py and judge_gate.py read; --look: a sheet as the judge sees it

Shapes: N pictures of STORED pixels, premultiplied uint8 (N, STORED, STORED, 4); L labels; B pictures of a batch.
"""

import argparse
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import skimage
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from art import Subject, drawing, render
from art import load as load_art
from captions import COLOURS, REGISTERS, caption
from judge_labels import all_labels
from scenes import HUES, resized
from settings import DATA as ART
from settings import RUNS as ALL_RUNS
from settings import SPRITE_PIXELS, STYLES
from world import Truth, World, withheld, world

DATA, RUNS = ART / "judge", ALL_RUNS / "judge"
ALL_STYLES = (*STYLES, "high-contrast")  # the last one sticker-mini never sees
STORED, PIXELS = 72, 64
# scikit-image's sample photographs that are public domain or CC0
PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg")
SCENES = {"judge": 60_000, "second": 40_000, "test": 3_000}
CLEAR, DOUBTFUL = (
    0.2,
    0.08,
)  # share of a thing that must have a colour to count, and at which nobody would say


def colour_shares(rgba: np.ndarray) -> np.ndarray:
    """Share of the visible pixels of a premultiplied picture in each of COLOURS; a pixel has the colour it is nearest to by name."""
    alpha = rgba[..., 3]
    rgb = rgba[alpha > 128][:, :3] / np.maximum(alpha[alpha > 128][:, None], 1)
    high, low = rgb.max(-1, initial=0), rgb.min(-1, initial=1)
    spread = np.maximum(high - low, 1e-6)
    saturation = (high - low) / np.maximum(high, 1e-6)
    red, green, blue = rgb.T
    hue = np.where(
        high == red,
        ((green - blue) / spread) % 6,
        np.where(high == green, (blue - red) / spread + 2, (red - green) / spread + 4),
    )
    distance = np.abs((hue[:, None] / 6 - np.array(list(HUES.values())) + 0.5) % 1 - 0.5)
    names = np.array(list(HUES))[distance.argmin(1)]
    names = np.where(
        np.isin(names, ("red", "pink")) & (saturation < 0.5) & (high > 0.75), "pink", names
    )
    names = np.where(np.isin(names, ("red", "orange", "yellow")) & (high < 0.62), "brown", names)
    names = np.where(saturation < 0.16, np.where(high > 0.85, "white", "grey"), names)
    names = np.where(high < 0.25, "black", names)
    return np.array([(names == colour).mean() if len(names) else 0.0 for colour in COLOURS])


def colours_of(scenes: World, truth: Truth) -> np.ndarray:
    """Which COLOURS a scene's things have: 1, 0, or NaN where nobody would say; a recoloured thing has its colour for certain."""
    found = np.zeros(len(COLOURS), np.float32)
    for thing in truth.things:
        shares = colour_shares(resized(scenes.looks(thing, truth.style), 48))
        own = np.where(shares >= CLEAR, 1.0, np.where(shares >= DOUBTFUL, np.nan, 0.0))
        if thing.colour:
            own[[COLOURS.index(colour) for colour in HUES]] = np.nan
            own[COLOURS.index(thing.colour)] = 1.0
        found = np.where((found == 1) | (own == 1), 1.0, found + own)
    return found.astype(np.float32)


@dataclass(frozen=True)
class Stock:
    """Pictures and what is so in them.

    Args:
        rgba: (N, STORED, STORED, 4).
        subject: the label, or -1 where there are several, (N,).
        present: labels, filled up with -1, (N, 4).
        style, count: (N,); count 0 stands for one thing.
        colours: (N, len(COLOURS)), NaN where unknown.
        captions: of each picture, in the order of REGISTERS.
    """

    rgba: np.ndarray
    subject: np.ndarray
    present: np.ndarray
    style: np.ndarray
    count: np.ndarray
    colours: np.ndarray
    captions: list[list[str]]

    def __len__(self) -> int:
        return len(self.rgba)


def present_labels(scenes: World, truth: Truth, given: Sequence[int]) -> list[int]:
    """The labels of everything that can be seen: things, and what they wear."""
    names = [
        thing.wears if thing.wears != "space suit" else "astronaut"
        for thing in truth.things
        if thing.wears
    ]
    indices = [thing.subject.index for thing in truth.things] + [
        scenes.by_name[name].index for name in names
    ]
    found = list(dict.fromkeys(given[index] for index in indices))
    return found + [-1] * (4 - len(found))


def render_scenes(part: str) -> None:
    """Write the scenes of a judge, or those of the test, which may show what both judges never saw together."""
    seed = {"judge": 11, "second": 12, "test": 13}[part]  # other seeds: other scenes
    scenes = world("all" if part == "test" else "judge", seed=seed)
    _, given = all_labels(load_art()[0])
    count = SCENES[part]
    rgba = np.lib.format.open_memmap(
        DATA / f"{part}.partial.npy", "w+", np.uint8, (count, STORED, STORED, 4)
    )
    rows = []
    for index in range(count):
        picture, truth = scenes[index]
        rgba[index] = resized(picture, STORED)
        rng = np.random.default_rng((seed, index, 1))
        total = min(5, sum(thing.count for thing in truth.things))
        rows.append(
            {
                "subject": given[truth.things[0].subject.index]
                if len(truth.things) == 1 and truth.things[0].wears != "space suit"
                else -1,
                "present": present_labels(scenes, truth, given),
                "style": ALL_STYLES.index(truth.style),
                "count": total - 1,
                "colours": [
                    None if np.isnan(value) else float(value) for value in colours_of(scenes, truth)
                ],
                "captions": [caption(truth, register, rng) for register in REGISTERS],
            }
        )
        if index % 5000 == 4999:
            print(part, index + 1, flush=True)
    (DATA / f"{part}.json").write_text(json.dumps(rows))
    (DATA / f"{part}.partial.npy").rename(DATA / f"{part}.npy")


def render_high_contrast() -> None:
    """The fifth style of every subject, as sprites."""
    subjects, _ = load_art()
    sprites = np.stack(
        [
            render(drawing("high-contrast", s.codepoints, s.name) or "", SPRITE_PIXELS)
            for s in subjects
        ]
    )
    np.save(DATA / "high_contrast.npy", sprites)


def scenes_of(part: str) -> Stock:
    """What `render_scenes` wrote."""
    rows = json.loads((DATA / f"{part}.json").read_text())
    column = lambda key, kind: np.array([row[key] for row in rows], kind)  # noqa: E731
    return Stock(
        np.load(DATA / f"{part}.npy", mmap_mode="r"),
        column("subject", np.int64),
        column("present", np.int64),
        column("style", np.int64),
        column("count", np.int64),
        column("colours", np.float32),
        [row["captions"] for row in rows],
    )


def drawings(seen: bool | None) -> Stock:
    """Every subject alone in every style: the pairs that the judges see, those withheld from them, or all (None)."""
    subjects, sprites = load_art()
    high_contrast = np.load(DATA / "high_contrast.npy", mmap_mode="r")
    _, given = all_labels(subjects)
    chosen = [
        (subject, style)
        for subject in subjects
        for style, name in enumerate(ALL_STYLES)
        if seen is None or withheld("judge", subject.codepoints, name) != seen
    ]
    rgba = np.stack(
        [
            resized(
                np.asarray(sprites[s.index, k] if k < len(STYLES) else high_contrast[s.index]),
                STORED,
            )
            for s, k in chosen
        ]
    )
    shares = np.stack([colour_shares(picture[::2, ::2]) for picture in rgba])
    colours = np.where(shares >= CLEAR, 1.0, np.where(shares >= DOUBTFUL, np.nan, 0.0)).astype(
        np.float32
    )
    labels = np.array([given[subject.index] for subject, _ in chosen])
    present = np.full((len(chosen), 4), -1)
    present[:, 0] = labels
    captions = [alone(subject, ALL_STYLES[style]) for subject, style in chosen]
    return Stock(
        rgba,
        labels,
        present,
        np.array([style for _, style in chosen]),
        np.zeros(len(chosen), int),
        colours,
        captions,
    )


def alone(subject: Subject, style: str) -> list[str]:
    """What one says of a drawing, once in each register."""
    words = ", ".join(subject.keywords[:3])
    return [
        subject.name,
        f"{subject.name}, {style} style",
        f"{subject.name}, {words}, {style} style",
        f"a drawing of {subject.name}",
    ]


@cache
def photographs() -> list[Image.Image]:
    """What things are laid on."""
    folder = Path(skimage.__file__).parent / "data"
    return [Image.open(folder / name).convert("RGB").resize((256, 256)) for name in PHOTOGRAPHS]


def grounds(count: int, rng: np.random.Generator) -> np.ndarray:
    """What is behind transparent pictures, float (B, PIXELS, PIXELS, 3): white, grey, any colour, a gradient, noise, a photograph."""
    found = np.empty((count, PIXELS, PIXELS, 3), np.float32)
    for row, kind in enumerate(rng.choice(6, count, p=(0.2, 0.2, 0.25, 0.1, 0.05, 0.2))):
        if kind == 0:
            found[row] = 1
        elif kind == 1:
            found[row] = rng.uniform(0, 1)
        elif kind == 2:
            found[row] = rng.uniform(0, 1, 3)
        elif kind == 3:
            share = np.linspace(0, 1, PIXELS)[:, None, None]
            found[row] = share * rng.uniform(0, 1, 3) + (1 - share) * rng.uniform(0, 1, 3)
        elif kind == 4:
            found[row] = rng.uniform(0, 1, (8, 8, 3)).repeat(PIXELS // 8, 0).repeat(PIXELS // 8, 1)
        else:
            photo = photographs()[rng.integers(len(PHOTOGRAPHS))]
            left, top = rng.integers(0, 256 - 96, 2)
            side = int(rng.integers(48, 97))
            found[row] = (
                np.asarray(
                    photo.resize(
                        (PIXELS, PIXELS),
                        Image.Resampling.BILINEAR,
                        (left, top, left + side, top + side),
                    )
                )
                / 255
            )
    return found


def moved(rgba: np.ndarray, rng: np.random.Generator, *, alone: bool) -> Tensor:
    """Turned, shifted, resized and cropped, float premultiplied (B, 4, PIXELS, PIXELS)."""
    count = len(rgba)
    planes = torch.from_numpy(rgba.astype(np.float32) / 255).permute(0, 3, 1, 2)
    zoom = rng.uniform(0.9, 1.9, count) if alone else rng.uniform(0.88, 1.12, count)  # > 1: smaller
    angle = np.radians(rng.normal(0, 8 if alone else 3, count))
    reach = np.maximum(0.12, zoom - 1) if alone else np.full(count, 0.08)
    shift = rng.uniform(-1, 1, (count, 2)) * reach[:, None]
    cosine, sine = np.cos(angle) * zoom, np.sin(angle) * zoom
    aspect = np.exp(rng.normal(0, 0.06, count))
    matrix = np.stack(
        [
            np.stack([cosine * aspect, -sine, shift[:, 0]], 1),
            np.stack([sine, cosine / aspect, shift[:, 1]], 1),
        ],
        1,
    )
    grid = F.affine_grid(
        torch.from_numpy(matrix.astype(np.float32)), [count, 4, PIXELS, PIXELS], align_corners=False
    )
    return F.grid_sample(planes, grid, align_corners=False)


def disturbed(rgb: Tensor, rng: np.random.Generator) -> Tensor:
    """Light, contrast, saturation and a little hue; blur; noise; JPEG and WebP: (B, 3, PIXELS, PIXELS) in [0, 1]."""
    count = len(rgb)
    draw = lambda spread: torch.from_numpy(
        rng.normal(0, spread, (count, 1, 1, 1)).astype(np.float32)
    )  # noqa: E731
    grey = rgb.mean(1, keepdim=True)
    rgb = grey + (rgb - grey) * (1 + draw(0.05))
    rgb = (rgb - 0.5) * (1 + draw(0.05)) + 0.5 + draw(0.02)
    rgb = rgb + torch.from_numpy(rng.normal(0, 0.007, (count, 3, 1, 1)).astype(np.float32))
    for row in range(count):
        kind = rng.random()
        if kind < 0.15:
            side = int(rng.integers(26, 56))
            small = F.interpolate(
                rgb[row : row + 1],
                (side, side),
                mode="bilinear",
                antialias=True,
                align_corners=False,
            )
            rgb[row] = F.interpolate(small, (PIXELS, PIXELS), mode="bilinear", align_corners=False)[
                0
            ]
        elif kind < 0.25:
            rgb[row] += torch.from_numpy(rng.normal(0, 0.04, rgb[row].shape).astype(np.float32))
        elif kind < 0.45:
            rgb[row] = compressed(
                rgb[row], "JPEG" if rng.random() < 0.6 else "WEBP", int(rng.integers(20, 90))
            )
    return rgb.clamp(0, 1)


def compressed(rgb: Tensor, kind: str, quality: int) -> Tensor:
    """Written to a file and read back."""
    buffer = io.BytesIO()
    Image.fromarray((rgb.clamp(0, 1).permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)).save(
        buffer, kind, quality=quality
    )
    return torch.from_numpy(
        np.asarray(Image.open(buffer).convert("RGB")).astype(np.float32) / 255
    ).permute(2, 0, 1)


def seen_by_judge(rgba: np.ndarray, rng: np.random.Generator, *, alone: bool) -> Tensor:
    """A batch as it is trained on, (B, 4, PIXELS, PIXELS): one picture in four comes without alpha, as a photograph would."""
    planes = moved(rgba, rng, alone=alone)
    behind = torch.from_numpy(grounds(len(rgba), rng)).permute(0, 3, 1, 2)
    alpha = torch.where(
        torch.from_numpy(rng.random((len(rgba), 1, 1, 1)) < 0.25), 1.0, planes[:, 3:]
    )
    return torch.cat([disturbed(planes[:, :3] + (1 - planes[:, 3:]) * behind, rng), alpha], 1)


def gently_seen(rgba: np.ndarray, rng: np.random.Generator, *, alone: bool) -> Tensor:
    """A batch turned, shifted and resized, on white, (B, 4, PIXELS, PIXELS): about as `evaluate` shows pictures to a judge."""
    planes = moved(rgba, rng, alone=alone)
    return torch.cat([planes[:, :3] + 1 - planes[:, 3:], planes[:, 3:]], 1)


def look(count: int = 48) -> None:
    """A sheet of both kinds, as trained on."""
    rng = np.random.default_rng(0)
    rows = []
    for stock, single in ((drawings(True), True), (scenes_of("test"), False)):
        chosen = np.sort(rng.choice(len(stock), count, replace=False))
        batch = seen_by_judge(stock.rgba[chosen], rng, alone=single)
        rows.append(
            batch[:, :3]
            .reshape(-1, 12, 3, PIXELS, PIXELS)
            .permute(0, 3, 1, 4, 2)
            .reshape(-1, 12 * PIXELS, 3)
        )
    RUNS.mkdir(parents=True, exist_ok=True)
    Image.fromarray((torch.cat(rows).numpy() * 255).astype(np.uint8)).save(RUNS / "look.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--look", action="store_true")
    parser.add_argument("--part", choices=tuple(SCENES), default=None, help="only these scenes")
    args = parser.parse_args()
    DATA.mkdir(parents=True, exist_ok=True)
    if args.look:
        look()
        sys.exit()
    if not (DATA / "high_contrast.npy").exists():
        render_high_contrast()
    for wanted in [args.part] if args.part else SCENES:
        if not (DATA / f"{wanted}.npy").exists():
            render_scenes(wanted)
