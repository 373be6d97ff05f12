"""What sticker-judge learns from: single drawings and scenes, each with its truth.

python -m examples.recipes.judge.dataset        render what train.py and gates.py read

Shapes: N pictures of STORED pixels, premultiplied uint8 (N, STORED, STORED, 4); L labels.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from examples.recipes.judge.labels import all_labels
from examples.recipes.judge.settings import ALL_STYLES, DATA, STORED
from examples.recipes.mini.art import Subject, load_subjects, read_svg, render
from examples.recipes.mini.captions import COLOURS, REGISTERS, caption
from examples.recipes.mini.scene import Truth, is_withheld
from examples.recipes.mini.settings import SPRITE_PIXELS, STYLES
from examples.recipes.mini.sprites import resize
from examples.recipes.mini.vocabulary import HUES
from examples.recipes.mini.world import World, make_world

SCENES = {"judge": 60_000, "second": 40_000, "test": 3_000}
COLOUR_SHARE = 0.2  # share of a thing that must have a colour to count
DOUBTFUL_SHARE = 0.08  # share from which on nobody would say


def colour_shares(rgba: np.ndarray) -> np.ndarray:
    """Share of the visible pixels of a premultiplied picture in each of COLOURS.

    A pixel has the colour it is nearest to by name.
    """
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


def scene_colours(scenes: World, truth: Truth) -> np.ndarray:
    """Which COLOURS a scene's things have: 1, 0, or NaN where nobody would say.

    A recoloured thing has its colour for certain.
    """
    result = np.zeros(len(COLOURS), np.float32)
    for thing in truth.things:
        shares = colour_shares(resize(scenes.draw_thing(thing, truth.style), 48))
        own = np.where(shares >= COLOUR_SHARE, 1.0, np.where(shares >= DOUBTFUL_SHARE, np.nan, 0.0))
        if thing.colour:
            own[[COLOURS.index(colour) for colour in HUES]] = np.nan
            own[COLOURS.index(thing.colour)] = 1.0
        result = np.where((result == 1) | (own == 1), 1.0, result + own)
    return result.astype(np.float32)


@dataclass(frozen=True)
class JudgeDataset:
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


def present_labels(scenes: World, truth: Truth, label_of: Sequence[int]) -> list[int]:
    """The labels of everything that can be seen: things, and what they wear."""
    names = [
        thing.wears if thing.wears != "space suit" else "astronaut"
        for thing in truth.things
        if thing.wears
    ]
    indices = [thing.subject.index for thing in truth.things] + [
        scenes.by_name[name].index for name in names
    ]
    result = list(dict.fromkeys(label_of[index] for index in indices))
    return result + [-1] * (4 - len(result))


def render_scenes(part: str) -> None:
    """Write the scenes of a judge, or those of the test, which may show what both judges never saw
    together.
    """
    seed = {"judge": 11, "second": 12, "test": 13}[part]  # other seeds: other scenes
    scenes = make_world("all" if part == "test" else "judge", seed=seed)
    _, label_of = all_labels(load_subjects()[0])
    count = SCENES[part]
    rgba = np.lib.format.open_memmap(
        DATA / f"{part}.partial.npy", "w+", np.uint8, (count, STORED, STORED, 4)
    )
    rows = []
    for index in range(count):
        picture, truth = scenes[index]
        rgba[index] = resize(picture, STORED)
        rng = np.random.default_rng((seed, index, 1))
        total = min(5, sum(thing.count for thing in truth.things))
        rows.append(
            {
                "subject": label_of[truth.things[0].subject.index]
                if len(truth.things) == 1 and truth.things[0].wears != "space suit"
                else -1,
                "present": present_labels(scenes, truth, label_of),
                "style": ALL_STYLES.index(truth.style),
                "count": total - 1,
                "colours": [
                    None if np.isnan(value) else float(value)
                    for value in scene_colours(scenes, truth)
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
    subjects, _ = load_subjects()
    sprites = np.stack(
        [
            render(read_svg("high-contrast", s.codepoints, s.name) or "", SPRITE_PIXELS)
            for s in subjects
        ]
    )
    np.save(DATA / "high_contrast.npy", sprites)


def load_scenes(part: str) -> JudgeDataset:
    """What `render_scenes` wrote."""
    rows = json.loads((DATA / f"{part}.json").read_text())
    column = lambda key, kind: np.array([row[key] for row in rows], kind)  # noqa: E731
    return JudgeDataset(
        np.load(DATA / f"{part}.npy", mmap_mode="r"),
        column("subject", np.int64),
        column("present", np.int64),
        column("style", np.int64),
        column("count", np.int64),
        column("colours", np.float32),
        [row["captions"] for row in rows],
    )


def load_drawings(seen: bool | None) -> JudgeDataset:
    """Every subject alone in every style.

    The pairs that the judges see, those withheld from them, or all (None).
    """
    subjects, sprites = load_subjects()
    high_contrast = np.load(DATA / "high_contrast.npy", mmap_mode="r")
    _, label_of = all_labels(subjects)
    pairs = [
        (subject, style)
        for subject in subjects
        for style, name in enumerate(ALL_STYLES)
        if seen is None or is_withheld("judge", subject.codepoints, name) != seen
    ]
    rgba = np.stack(
        [
            resize(
                np.asarray(sprites[s.index, k] if k < len(STYLES) else high_contrast[s.index]),
                STORED,
            )
            for s, k in pairs
        ]
    )
    shares = np.stack([colour_shares(picture[::2, ::2]) for picture in rgba])
    colours = np.where(
        shares >= COLOUR_SHARE, 1.0, np.where(shares >= DOUBTFUL_SHARE, np.nan, 0.0)
    ).astype(np.float32)
    labels = np.array([label_of[subject.index] for subject, _ in pairs])
    present = np.full((len(pairs), 4), -1)
    present[:, 0] = labels
    captions = [drawing_captions(subject, ALL_STYLES[style]) for subject, style in pairs]
    return JudgeDataset(
        rgba,
        labels,
        present,
        np.array([style for _, style in pairs]),
        np.zeros(len(pairs), int),
        colours,
        captions,
    )


def drawing_captions(subject: Subject, style: str) -> list[str]:
    """What one says of a drawing, once in each register."""
    words = ", ".join(subject.keywords[:3])
    return [
        subject.name,
        f"{subject.name}, {style} style",
        f"{subject.name}, {words}, {style} style",
        f"a drawing of {subject.name}",
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=tuple(SCENES), default=None, help="only these scenes")
    args = parser.parse_args()
    DATA.mkdir(parents=True, exist_ok=True)
    if not (DATA / "high_contrast.npy").exists():
        render_high_contrast()
    for wanted in [args.part] if args.part else SCENES:
        if not (DATA / f"{wanted}.npy").exists():
            render_scenes(wanted)
