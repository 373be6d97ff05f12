"""What the tool does with photographs, by networks that know them: ImageNet's and a matting one.

python -m examples.experiments.bench.photographs PHOTOS [--teach 3] [--steps N] [--cache FOLDER]

PHOTOS holds a folder of photographs for each thing. Measured are: how many are told to be
photographs, whole and cut out; how far the figure that the captioner finds agrees with that of the
matting network (intersection over union); and, of so many things, sticker-mini taught from the
photographs and from their cut-outs, asked for "a <thing>": likeness (mean cosine with the thing's
cut-outs), diversity (1 - cosine between pictures of one prompt) and kernel distance to the
cut-outs. Bounds: what the photographs themselves have, with their own kind and with other things.
Weights are fetched into the cache (130 MB; photograph_networks.py); what is made lies there too and
is not made twice. One thread; a cut-out takes about 7 s, a taught thing a few minutes.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from examples.experiments.bench.photograph_networks import (
    Alpha,
    Features,
    fetch,
    load_features,
    load_matting,
)
from stickerforge.captioning.embedded import SIDE
from stickerforge.captioning.image_analysis import analyze_background
from stickerforge.evaluation.metrics.distances import kernel_distance
from stickerforge.stickers.photographs import is_photograph

CACHE = Path.home() / ".cache" / "stickerforge-photographs"
PICTURES = 8  # generated of a thing
ARMS = ("untaught", "photographs", "cut-outs")


def cut_outs(photos: list[Path], folder: Path, alpha: Alpha) -> list[Path]:
    """The photographs of a thing without their ground, cut out where that is not done yet."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{photo.stem}.png" for photo in photos]
    for photo, path in zip(photos, paths, strict=True):
        if not path.exists():
            picture = Image.open(photo).convert("RGB")
            mask = alpha(picture)
            picture.putalpha(mask)
            picture.save(path)
    return paths


def figure(picture: Image.Image) -> Image.Image:
    """A picture cut to what is visible of it."""
    box = picture.getchannel("A").point(lambda value: 255 * (value > 25)).getbbox()
    return picture.crop(box) if box else picture


def agreement(photo: Image.Image, alpha: Image.Image) -> float:
    """Intersection over union of the figure that the captioner finds and of a mask."""
    # Apart from each other: Pillow blackens what is clear when it resizes both together.
    small, mask = photo.convert("RGB"), alpha.copy()
    for image in (small, mask):
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    truth = np.asarray(mask) >= 128
    found = analyze_background(np.asarray(small), np.zeros(truth.shape, bool)).foreground
    return float((found & truth).sum() / max(1, (found | truth).sum()))


def stickerforge(home: Path, *arguments: object) -> None:
    """Run a command with a home of its own."""
    subprocess.run(
        [sys.executable, "-m", "stickerforge", *map(str, arguments), "--quiet"],
        env=os.environ | {"STICKERFORGE_HOME": str(home)},
        check=True,
        stdout=subprocess.DEVNULL,
    )


def draw(work: Path, arm: str, thing: str, pictures: Path, steps: int | None) -> list[Image.Image]:
    """Pictures of a thing, after it was taught from a folder of pictures of it."""
    # The last word of the folder's name, less its number: "duck_toy" is a toy.
    class_words = thing.split("_")[-1].rstrip("0123456789")
    out, home = work / "drawn" / f"{arm}-{thing}-{steps}", work / "home" / f"{arm}-{steps}"
    if not list(out.glob("*.png")):
        prompt = f"a {class_words}"
        if arm != "untaught":
            given = ("--steps", steps) if steps else ()
            asked = ("--subject", thing.replace("_", "-"), "--class", class_words)
            stickerforge(
                home, "customize", pictures, *asked, *given, "--force", "--set", "preview.count=0"
            )
            prompt = f"a <{thing.replace('_', '-')}>"
        asked = ("--count", PICTURES, "--seed", 7, "--size", "native", "--out", out)
        stickerforge(home, "generate", prompt, *asked, "--set", "output.sheet=false")
    return [Image.open(path).convert("RGBA") for path in sorted(out.glob("*.png"))]


def pair_cosines(features: np.ndarray) -> float:
    """The mean cosine between different pictures, (N, D) of unit length."""
    cosines = features @ features.T
    return float(cosines[np.triu_indices(len(features), 1)].mean())


def report_photographs(cuts: dict[str, list[Path]], photos: dict[str, list[Path]]) -> None:
    """Print what is told of the photographs, and how far the figures agree."""
    told = {
        "photographs": [path for paths in photos.values() for path in paths],
        "cut out": [path for paths in cuts.values() for path in paths],
    }
    for name, paths in told.items():
        found = [is_photograph(np.asarray(Image.open(path).convert("RGBA"))) for path in paths]
        print(f"told to be photographs, {name}: {sum(found)} of {len(found)}")
    pairs = zip(told["photographs"], told["cut out"], strict=True)
    shares = [agreement(Image.open(a), Image.open(b).getchannel("A")) for a, b in pairs]
    print(
        f"figure of the captioner and of the matting network: IoU median {np.median(shares):.2f}, "
        f"over 0.7 in {np.mean(np.array(shares) > 0.7):.0%}"
    )


def report_bounds(references: dict[str, np.ndarray]) -> None:
    """Print the likeness that photographs have with their own thing and with others."""
    own = [pair_cosines(features) for features in references.values()]
    others = [
        float((one @ other.T).mean())
        for name, one in references.items()
        for second, other in references.items()
        if name < second
    ]
    everything = np.concatenate(list(references.values()))
    names = [name for name, features in references.items() for _ in features]
    cosines = everything @ everything.T - 2 * np.eye(len(everything))
    nearest = [names[row] == names[int(cosines[row].argmax())] for row in range(len(names))]
    print(
        f"cosine of cut-outs: same thing {np.mean(own):.3f}, other things {np.mean(others):.3f}; "
        f"nearest one is of the same thing in {sum(nearest)} of {len(nearest)}"
    )


def report_taught(
    things: list[str],
    folders: dict[str, dict[str, Path]],
    references: dict[str, np.ndarray],
    features: Features,
    work: Path,
    steps: int | None,
) -> None:
    """Print likeness, diversity and kernel distance of what each arm draws, thing by thing."""
    print(f"{'':14}{'likeness':>9}{'diversity':>10}{'kernel':>8}  likeness by thing")
    true = np.concatenate([references[thing] for thing in things])
    for arm in ARMS:
        rows = []
        for thing in things:
            pictures = draw(work, arm, thing, folders[arm][thing], steps)
            rows.append(features([figure(picture) for picture in pictures]))
        likeness = [
            float((row @ references[thing].T).mean())
            for thing, row in zip(things, rows, strict=True)
        ]
        diversity = np.mean([1 - pair_cosines(row) for row in rows])
        length = true.shape[1] ** 0.5
        kernel = kernel_distance(length * np.concatenate(rows), length * true)
        listed = ", ".join(
            f"{thing} {value:.3f}" for thing, value in zip(things, likeness, strict=True)
        )
        print(
            f"{arm:14}{np.mean(likeness):9.3f}{diversity:10.3f}{kernel:8.2f}  {listed}", flush=True
        )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--teach", type=int, default=3, help="things that are taught; 0 for none")
    parser.add_argument("--steps", type=int, help="of training; by default what the model wants")
    parser.add_argument("--cache", type=Path, default=CACHE)
    args = parser.parse_args()
    torch.set_num_threads(1)
    folders = sorted(path for path in args.photos.iterdir() if path.is_dir())
    photos = {folder.name: sorted(folder.glob("*.jpg")) for folder in folders}
    fetch(args.cache)
    features, alpha = load_features(args.cache), load_matting(args.cache)
    cut = args.cache / "cut-outs"
    cuts = {thing: cut_outs(paths, cut / thing, alpha) for thing, paths in photos.items()}
    report_photographs(cuts, photos)
    references = {
        thing: features([figure(Image.open(path)) for path in paths])
        for thing, paths in cuts.items()
    }
    report_bounds(references)
    things = (
        sorted(photos)[:: max(1, len(photos) // args.teach)][: args.teach] if args.teach else []
    )
    if things:
        sources = {thing: args.photos / thing for thing in things}
        by_arm = dict.fromkeys(ARMS, sources) | {ARMS[2]: {t: cut / t for t in things}}
        report_taught(things, by_arm, references, features, args.cache, args.steps)


if __name__ == "__main__":
    main()
