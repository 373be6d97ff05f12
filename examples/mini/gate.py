"""The gate of sticker-mini: does it draw what is asked for, in the style that is asked for?

python examples/mini/gate.py [--count 200]      needs data/ (fetch.py, art.py) and the packaged model

For fixed prompts "<name> in <style> style" over the subjects it learned, each picture is compared with every
render of all four sets (32 px, premultiplied RGBA laid on grey, L2 distance): is the nearest one of the
right subject, of the right style? Twice: among the renders of the subjects it learned, and among those of
all subjects, most of which it never saw. Renders are shown at the scale at which the model was.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from art import Subject, load
from scenes import SCALE, Scenes
from settings import MODEL, PIXELS, RUNS, STYLES
from stickerforge.models.catalog import read_card
from stickerforge.models.family import Family
from stickerforge.models.loading import load as load_model
from stickerforge.runtime.seeds import generator
from stickerforge.sampling.denoising import denoise
from stickerforge.stickers.alpha import settled

SIDE, GREY = 32, 0.5
NEAR = 0.05  # root mean square difference below which a picture counts as a copy of a render


def vector(premultiplied: np.ndarray) -> np.ndarray:
    """Premultiplied float (H, W, 4) in [0, 1] as 32 x 32 x 4 numbers: colour on grey, and alpha."""
    planes = [Image.fromarray(premultiplied[..., k].astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BOX) for k in range(4)]
    small = np.stack([np.asarray(plane) for plane in planes], -1)
    small[..., :3] += GREY * (1 - small[..., 3:])
    return small.ravel()


def render_vectors(subjects: list[Subject], sprites: np.ndarray) -> np.ndarray:
    """(subject x style, 4096)."""
    scenes = Scenes(subjects, sprites)
    return np.stack([vector(scenes.place(scenes.sprite(s, k), SCALE) / 255) for s in subjects for k in range(len(STYLES))])


@torch.inference_mode()
def drawn(prompts: list[str], steps: int, guidance: float, batch: int = 20, family: Family | None = None) -> list[np.ndarray]:
    """One picture per prompt, seed = its index, premultiplied float (H, W, 4)."""
    family = family or load_model(read_card(MODEL, "sticker-mini"), torch.device("cpu"), torch.float32)
    pictures: list[np.ndarray] = []
    empty = family.encode_prompt([""])
    for start in range(0, len(prompts), batch):
        texts = prompts[start : start + batch]
        shape = family.latent_shape(PIXELS)
        noise = torch.stack([torch.randn(shape, generator=generator(start + i, "latents")) for i in range(len(texts))])
        text = family.encode_prompt(texts)
        latents = denoise(family.predict, family.scheduler("model", steps), noise, text, empty.expanded(len(texts)), guidance=guidance)
        pictures += [settled(picture.permute(1, 2, 0).numpy()) for picture in family.decode(latents)]
    return pictures


def judged(pictures: list[np.ndarray], asked: list[tuple[int, int]], pool: list[Subject], vectors: np.ndarray) -> dict[str, float]:
    """Shares of right subjects, right styles and near copies, by the nearest render of the pool."""
    right_subject = right_style = near = 0
    for picture, (index, style) in zip(pictures, asked, strict=True):
        distance = np.square(vectors - vector(picture)).mean(1)
        nearest = int(distance.argmin())
        right_subject += pool[nearest // len(STYLES)].index == index
        right_style += nearest % len(STYLES) == style
        near += distance[nearest] ** 0.5 < NEAR
    count = len(pictures)
    return {"subject": right_subject / count, "style": right_style / count, "near": near / count}


def style_confusion(pictures: list[np.ndarray], asked: list[tuple[int, int]], vectors: np.ndarray) -> np.ndarray:
    """How often each style asked for (rows) had a nearest render of each style (columns)."""
    counts = np.zeros((len(STYLES), len(STYLES)), int)
    for picture, (_, style) in zip(pictures, asked, strict=True):
        counts[style, int(np.square(vectors - vector(picture)).mean(1).argmin()) % len(STYLES)] += 1
    return counts


def main(count: int, steps: int, guidance: float, out: Path) -> None:
    """Print the shares, write them and a sheet of the pictures."""
    subjects, sprites = load()
    learned = [s for s in subjects if s.kind]
    rng = np.random.default_rng(0)
    pairs = rng.choice(len(learned) * len(STYLES), count, replace=False)
    asked = [(learned[pair // len(STYLES)].index, int(pair % len(STYLES))) for pair in pairs]
    prompts = [f"{subjects[index].name} in {STYLES[style]} style" for index, style in asked]
    started = time.monotonic()
    pictures = drawn(prompts, steps, guidance)
    seconds = time.monotonic() - started
    results = {"count": count, "steps": steps, "guidance": guidance, "seconds": round(seconds, 1)}
    for name, pool in (("learned", learned), ("all", subjects)):
        results[name] = judged(pictures, asked, pool, render_vectors(pool, sprites))
        print(
            f"among the renders of {len(pool)} {name} subjects: " + ", ".join(f"{key} {value:.1%}" for key, value in results[name].items())
        )
    confusion = style_confusion(pictures, asked, render_vectors(learned, sprites))
    print("styles asked for, and those of the nearest learned render:", *STYLES)
    for style, row in zip(STYLES, confusion.tolist(), strict=True):
        print(f"{style:10}", *(f"{number:5}" for number in row))
    results["confusion"] = confusion.tolist()
    out.mkdir(parents=True, exist_ok=True)
    (out / "gate.json").write_text(json.dumps(results, indent=1))
    side = 20
    page = np.full((-(-count // side) * PIXELS, side * PIXELS, 3), 0.8, np.float32)
    for i, picture in enumerate(pictures):
        y, x = i // side * PIXELS, i % side * PIXELS
        page[y : y + PIXELS, x : x + PIXELS] = picture[..., :3] + 0.8 * (1 - picture[..., 3:])
    Image.fromarray((page * 255).clip(0, 255).astype(np.uint8)).save(out / "gate.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--out", type=Path, default=RUNS)
    args = parser.parse_args()
    main(args.count, args.steps, args.guidance, args.out)
