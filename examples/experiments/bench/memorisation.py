"""What sticker-mini remembers: generated pictures beside the nearest pictures that it learned from.

python -m examples.experiments.bench.memorisation [--bench FOLDER] [--out FOLDER]

Reads the pictures of sticker_bench.py, which comes first. Two kinds of prompts: "shown", for single
drawings that it learned, and "novel", those of StickerBench that ask for combinations which were
withheld. Every picture is compared with every training scene (32 px, colours over grey and alpha,
root mean square); closer than 0.05 counts as a copy. Real renders of the same prompts say how near
to a training scene a right answer lies anyway, and what the autoencoder alone changes in training
scenes says how near a perfect copy would be.

Prints the shares and writes nearest.png: novel combinations, each above the training scene that is
nearest and above what a perfect model would have drawn. Needs the art of the recipe (fetch.py,
art.py).
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from examples.experiments.bench.bench_images import find_picture, generate_images, render_truth
from examples.experiments.bench.bench_items import CLEAR, Item, bench_items
from examples.recipes.mini.dataset import training_world
from examples.recipes.mini.scene import Thing, Truth, is_withheld
from examples.recipes.mini.settings import PIXELS, RUNS, STYLES
from examples.recipes.mini.sprites import to_image
from examples.recipes.mini.vocabulary import short_name
from examples.recipes.mini.world import World, make_world
from stickerforge.models.registry import find_model, load_model

SIDE, GREY = 32, 0.5
NEAR = 0.05  # root mean square difference below which a picture counts as a copy
SCENES = 60_000  # that denoiser.py learns from
LEARNED_COUNT = 200
NOVEL_FAMILIES = ("single", "colour", "pair", "worn")
SHEET_EACH = 6  # of each family on the sheet


def thumbnail_vector(picture: Image.Image) -> np.ndarray:
    """32 x 32 means of the premultiplied picture, colours laid on grey, and alpha.

    (4096,) in [0, 1].
    """
    premultiplied = np.asarray(
        picture.convert("RGBA").convert("RGBa").resize((PIXELS, PIXELS), Image.Resampling.BOX),
        np.float32,
    )
    return to_vector(premultiplied)


def to_vector(premultiplied: np.ndarray) -> np.ndarray:
    """The same for 0 to 255, (PIXELS, PIXELS, 4)."""
    means = (
        premultiplied.reshape(SIDE, PIXELS // SIDE, SIDE, PIXELS // SIDE, 4).mean(
            (1, 3), dtype=np.float32
        )
        / 255
    )
    means[..., :3] += GREY * (1 - means[..., 3:])
    return means.ravel()


def training_vectors(scenes: World, count: int, path: Path) -> np.ndarray:
    """Every training scene as `to_vector` gives it, (count, 4096), kept in a file."""
    if path.exists() and len(stored := np.load(path, mmap_mode="r")) == count:
        return stored
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    result = np.lib.format.open_memmap(partial, "w+", np.float16, (count, 4 * SIDE * SIDE))
    for index in range(count):
        result[index] = to_vector(scenes[index][0])
        if index % 5000 == 4999:
            print(f"{index + 1} of {count} training scenes drawn", flush=True)
    result.flush()
    partial.rename(path)
    return result


def nearest(
    vectors: np.ndarray, training: np.ndarray, block: int = 4096
) -> tuple[np.ndarray, np.ndarray]:
    """(index of the nearest training scene, root mean square difference to it) of each vector (N,
    4096).
    """
    best, where = np.full(len(vectors), np.inf, np.float32), np.zeros(len(vectors), int)
    own = np.square(vectors).sum(1)
    for start in range(0, len(training), block):
        part = np.asarray(training[start : start + block], np.float32)
        squares = own[:, None] + np.square(part).sum(1) - 2 * vectors @ part.T
        result = squares.argmin(1)
        lowest = squares[np.arange(len(vectors)), result]
        closer = lowest < best
        best[closer], where[closer] = lowest[closer], start + result[closer]
    return where, np.sqrt(np.maximum(best, 0) / vectors.shape[1])


def learned_items(scenes: World) -> list[Item]:
    """Prompts for single drawings that were among the training scenes."""
    known = [
        (subject, style)
        for subject in scenes.subjects
        for style in STYLES
        if not is_withheld("generator", subject.codepoints, style)
    ]
    order = np.random.default_rng(79).permutation(len(known))[:LEARNED_COUNT]
    results = []
    for number, (subject, style) in enumerate(known[i] for i in order):
        truth = Truth(style, (Thing(subject),), "", CLEAR)
        results.append(
            Item(
                f"shown-{number:03d}",
                "shown",
                f"{short_name(subject.name)}, in {style} style",
                number,
                subject.name,
                truth,
            )
        )
    return results


def copy_shares(
    items: Sequence[Item],
    generated: Sequence[Image.Image],
    real: Sequence[Image.Image],
    training: np.ndarray,
) -> dict[str, object]:
    """Shares of copies, and how far the nearest training scene is, for generated pictures and for
    real renders.
    """
    record: dict[str, object] = {"pictures": len(items)}
    for name, pictures in (("generated", generated), ("real", real)):
        _, distance = nearest(
            np.stack([thumbnail_vector(picture) for picture in pictures]), training
        )
        record[name] = {
            "copies": round(float((distance < NEAR).mean()), 4),
            "nearest 5 %": round(float(np.quantile(distance, 0.05)), 4),
            "median": round(float(np.median(distance)), 4),
        }
    return record


def nearest_sheet(
    items: Sequence[Item],
    generated: Sequence[Image.Image],
    real: Sequence[Image.Image],
    training: np.ndarray,
    scenes: World,
) -> Image.Image:
    """Columns of generated picture, nearest training scene, and real render, twelve beside each
    other.
    """
    where, distance = nearest(
        np.stack([thumbnail_vector(picture) for picture in generated]), training
    )
    across, cell, tall = 12, PIXELS + 6, 3 * (PIXELS + 6) + 34
    page = Image.new("RGB", (across * cell, -(-len(items) // across) * tall), (206, 206, 206))
    pen = ImageDraw.Draw(page)
    for number, item in enumerate(items):
        x, y = number % across * cell + 3, number // across * tall
        rgba = scenes[int(where[number])][0]
        result = to_image(rgba)
        for row, picture in enumerate((generated[number], result, real[number])):
            fitted = picture.resize((PIXELS, PIXELS))
            page.paste(fitted, (x, y + 32 + row * cell), fitted)
        pen.text(
            (x, y + 2),
            f"{item.prompt[:24]}\n{item.prompt[24:40]} {distance[number]:.3f}",
            fill=(0, 0, 0),
            font_size=10,
        )
    return page


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--bench", type=Path, default=Path("bench"), help="folder of sticker_bench.py, list test"
    )
    parser.add_argument("--model", default="sticker-mini")
    parser.add_argument("--out", type=Path, default=RUNS / "memorisation")
    args = parser.parse_args()
    scenes, all_scenes = training_world(), make_world("all", learned_only=True)
    training = training_vectors(scenes, SCENES, RUNS / "scenes-32.npy")
    prompts = learned_items(scenes)
    generate_images(prompts, args.out, ["--model", args.model])
    groups = {"shown": (prompts, args.out / "pictures")}
    groups["novel"] = (
        [item for item in bench_items("test", False) if item.family in NOVEL_FAMILIES],
        args.bench / "pictures",
    )
    floor = reconstruction_distance(scenes, args.model)
    results: dict[str, object] = {"recital": floor}
    print("recital", json.dumps(floor), flush=True)
    for name, (group, folder) in groups.items():
        generated = open_pictures(group, folder)
        real = [render_truth(item, all_scenes) for item in group]
        results[name] = copy_shares(group, generated, real, training)
        print(name, json.dumps(results[name]), flush=True)
    few = [
        n
        for family in NOVEL_FAMILIES
        for n in [n for n, item in enumerate(group) if item.family == family][:SHEET_EACH]
    ]
    columns = [[those[n] for n in few] for those in (group, generated, real)]
    nearest_sheet(*columns, training, scenes).save(args.out / "nearest.png")
    (args.out / "memorisation.json").write_text(
        json.dumps({"model": args.model, "near": NEAR} | results, indent=1) + "\n"
    )


def reconstruction_distance(scenes: World, model: str, count: int = 200) -> dict[str, float]:
    """How far training scenes are from themselves once they went through the model's autoencoder.

    Median, and 95th percentile.
    """
    network, distances = load_model(find_model(model), torch.device("cpu"), torch.float32), []
    for index in range(count):
        rgba = scenes[index][0]
        pixels = torch.from_numpy(rgba.astype(np.float32) / 255).permute(2, 0, 1)[None]
        with torch.inference_mode():
            again = (
                network.decode(network.encode(pixels)[0])[0].clamp(0, 1).permute(1, 2, 0).numpy()
                * 255
            )
        distances.append(
            float(
                np.sqrt(
                    np.square(
                        to_vector(again.astype(np.float32)) - to_vector(rgba.astype(np.float32))
                    ).mean()
                )
            )
        )
    return {
        "median": round(float(np.median(distances)), 4),
        "farthest 5 %": round(float(np.quantile(distances, 0.95)), 4),
    }


def open_pictures(items: Sequence[Item], folder: Path) -> list[Image.Image]:
    """The generated pictures.

    Raises:
        SystemExit: one is missing.
    """
    results = [find_picture(item, folder) for item in items]
    missing = [item.id for item, picture in zip(items, results, strict=True) if picture is None]
    if missing:
        raise SystemExit(
            f"{folder} lacks {len(missing)} pictures, first {missing[0]}: "
            "run sticker_bench.py first"
        )
    return [picture for picture in results if picture is not None]


if __name__ == "__main__":
    main()
