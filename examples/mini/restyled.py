"""Draw what one set has drawn in the colours and the shading of another, and train the denoiser further on that.

python examples/mini/restyled.py [--steps 1200]      after reward.py; resumes from runs/v2/restyled.safetensors; look at runs/restyled.png

Every drawing that the denoiser learns belongs to one style, so it could learn shapes with styles, and where a drawing was withheld it laid
the shapes of the other three over each other. Here each learned subject also comes in the shapes of its other sets: the colours are
those of the set that is asked for, taken from its own drawing of the same subject. Withheld drawings are neither shape nor colour of any.
A picture is kept where the second judge reads its style and knows its subject; the first judge, which measures, has no part in it.
"""

import argparse
import json
import time
from collections.abc import Iterator
from multiprocessing import Pool

import numpy as np
import torch
from PIL import Image
from scipy.cluster.vq import kmeans2
from scipy.spatial import cKDTree
from torch import Tensor, nn
from transformers import CLIPTokenizer

from art import Subject
from backdrops import Ground
from decoder import check_source, source
from denoiser import (
    CAPTION_DROPOUT,
    TOKENIZER,
    build_scheduler,
    build_text_encoder,
    build_unet,
    by_kind,
    importance,
    pixels_of,
    standard_autoencoder,
    velocity_loss,
    worth,
    written,
)
from denoiser import CAPTIONS as LESSONS_TOLD
from denoiser import CHECKPOINT as DENOISER
from denoiser import LATENTS as LESSONS_DRAWN
from lessons import COMPREHENSIVE, WAYS, lessons, told
from reward import CHECKPOINT as REWARD
from reward import drawn_lessons, falling
from scenes import bounds, put, resized
from settings import DEVICE, PIXELS, RUN, RUNS, SEED, STYLES
from stickerforge.models.judge.model import load_judge
from stickerforge.stickers.color import lab
from training import Keeper, Muon, average, averaged, descend, load
from words import tokens
from world import SIZES, Thing, Truth, World, withheld

CHECKPOINT, LATENTS, CAPTIONS = (
    RUN / "restyled.safetensors",
    RUN / "restyled_drawings.npy",
    RUN / "restyled_drawings.json",
)
CAPTIONS_SEED = 22
SHARE = 0.25  # of a batch
TAKEN = 0.4  # of the way from the rewarded denoiser to this one: more of it draws withheld subjects rightly, and learned ones less sharply
TELLINGS = 3  # of each picture, each in all the ways of lessons.py
INKS = 16  # colours of a flat drawing at most
COMMON = 0.002  # share of a drawing that a colour needs, to be one of them
SAMPLE = 6000  # pixels of a drawing that colours are looked for in
PLACE = 45.0  # what the whole width of a drawing counts, in units of CIELAB
NEAREST = 12  # pixels that give a shaded one its colour
SHADED = ("noto", "fluent")
KNOWN = 3  # likeliest subjects that the right one must be among
TOGETHER = 64  # pictures that are encoded at once

Restyled = tuple[
    int, str, str, np.ndarray
]  # subject's index, the style of the shape, that of the colours, premultiplied uint8


def straight(sprite: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(colours (P, P, 3), alpha (P, P)) in [0, 1] of a premultiplied uint8 sprite."""
    alpha = sprite[..., 3].astype(float)
    return sprite[..., :3] / np.maximum(alpha, 1)[..., None], alpha / 255


def premultiplied(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The other way."""
    whole = np.concatenate([colours * alpha[..., None], alpha[..., None]], -1)
    return (whole * 255).round().clip(0, 255).astype(np.uint8)


def filled(alpha: np.ndarray) -> np.ndarray:
    """Where a drawing's own colours are seen: the inside, or for want of any whatever is more than half there."""
    return alpha > 0.98 if (alpha > 0.98).any() else alpha > 0.5


def inks(sprite: np.ndarray, count: int = INKS) -> np.ndarray:
    """The colours of a flat drawing, (up to `count`, 3) in [0, 1]: its common ones, or as many clusters of them."""
    colours, alpha = straight(sprite)
    seen = colours[filled(alpha)]
    found, often = np.unique((seen * 63).round().astype(int), axis=0, return_counts=True)
    found = found[often >= max(2, COMMON * len(seen))]
    if 0 < len(found) <= count:
        return found / 63
    sample = np.random.default_rng(0).permutation(seen)[:SAMPLE]
    own = kmeans2(lab(255 * sample), count, minit="++", seed=0)[1]
    return np.stack(
        [np.median(sample[own == ink], 0) for ink in range(count) if (own == ink).any()]
    )


def inked(shape: np.ndarray, model: np.ndarray) -> np.ndarray:
    """A drawing with each of its colours exchanged for the nearest ink of another; both premultiplied uint8 (P, P, 4)."""
    colours, alpha = straight(shape)
    seen, palette = alpha > 0.02, inks(model)
    colours[seen] = palette[cKDTree(lab(255 * palette)).query(lab(255 * colours[seen]))[1]]
    return premultiplied(colours, alpha)


def shaded(shape: np.ndarray, model: np.ndarray) -> np.ndarray:
    """A drawing with colours from pixels of another that are near in colour and in place, which carries gradients over."""
    (colours, alpha), (given, solid) = straight(shape), straight(model)
    seen, inside = alpha > 0.02, filled(solid)
    chosen = np.random.default_rng(0).permutation(int(inside.sum()))[:SAMPLE]
    source = np.concatenate([lab(255 * given[inside]), PLACE * within(model, inside)], 1)[chosen]
    wanted = np.concatenate([lab(255 * colours[seen]), PLACE * within(shape, seen)], 1)
    near = cKDTree(source).query(wanted, k=min(NEAREST, len(source)))[1]
    colours[seen] = given[inside][chosen][near.reshape(len(wanted), -1)].mean(1)
    return premultiplied(colours, alpha)


def within(sprite: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Where pixels lie in the box around what is visible, (N, 2), on a unit square."""
    left, top, right, bottom = bounds(sprite)
    rows, columns = np.where(pixels)
    return np.stack([(columns - left) / (right - left), (rows - top) / (bottom - top)], 1)


def restyled(shape: np.ndarray, model: np.ndarray, style: str) -> np.ndarray:
    """The shape of one drawing in the style of another, which `style` names."""
    return shaded(shape, model) if style in SHADED else inked(shape, model)


def of_subject(subject: Subject) -> list[Restyled]:
    """Every shape that is learned of a subject in every other style that is."""
    scenes = lessons()
    known = [style for style in STYLES if not withheld("generator", subject.codepoints, style)]
    found = []
    for wanted in known:
        for other in known:
            if other != wanted:
                sprites = (
                    np.asarray(scenes.sprites[subject.index, STYLES.index(name)])
                    for name in (other, wanted)
                )
                picture = np.zeros((PIXELS, PIXELS, 4), np.uint8)
                put(
                    picture,
                    resized(restyled(*sprites, wanted), round(PIXELS * SIZES["large"])),
                    PIXELS / 2,
                    PIXELS / 2,
                )
                found.append((subject.index, other, wanted, picture))
    return found


def read_rightly(scenes: World, made: list[Restyled]) -> Iterator[Restyled]:
    """Those in which the second judge reads the style that was wanted and, among its likeliest, the subject."""
    judge, by_index = load_judge("second"), {subject.index: subject for subject in scenes.subjects}
    for start in range(0, len(made), 256):
        part = made[start : start + 256]
        read = judge.read(judge.pictures([image_of(each[3]) for each in part]))
        likeliest = read.subject.topk(KNOWN, 1).indices.tolist()
        for row, each in enumerate(part):
            subject = judge.labels.index(judge.label_of[by_index[each[0]].name])
            if judge.styles[int(read.style[row].argmax())] == each[2] and subject in likeliest[row]:
                yield each


def image_of(rgba: np.ndarray) -> Image.Image:
    """A premultiplied array as a picture."""
    return Image.frombuffer(
        "RGBa", rgba.shape[1::-1], np.ascontiguousarray(rgba).tobytes(), "raw", "RGBa", 0, 1
    ).convert("RGBA")


def made_from() -> str:
    """What decides the restyled drawings and their captions."""
    return f"{source()} {(CAPTIONS_SEED, TELLINGS, INKS, COMMON, SAMPLE, PLACE, NEAREST, SHADED, KNOWN)}"


@torch.no_grad()
def write_restyled() -> None:
    """Latents (N, C, H, W) as float16, and every caption of each: [picture][telling][way]."""
    mark = CAPTIONS.with_suffix(".source")
    if CAPTIONS.exists() and mark.exists() and mark.read_text() == made_from():
        return
    scenes, started = lessons(), time.monotonic()
    with Pool() as workers:
        made = [
            each
            for found in workers.imap(of_subject, scenes.subjects, chunksize=4)
            for each in found
        ]
    kept = list(read_rightly(scenes, made))
    autoencoder, by_index = (
        standard_autoencoder(scenes),
        {subject.index: subject for subject in scenes.subjects},
    )
    latents, captions = [], []
    for start in range(0, len(kept), TOGETHER):
        pixels = pixels_of(np.stack([each[3] for each in kept[start : start + TOGETHER]]))
        latents.append(autoencoder.encode(pixels.to(DEVICE)).latent_dist.mean.half().cpu().numpy())
    for index, other, wanted, _ in kept:
        truth = Truth(wanted, (Thing(by_index[index]),), "", Ground("transparent"))
        seeds = [
            (CAPTIONS_SEED, index, STYLES.index(other), STYLES.index(wanted), telling)
            for telling in range(TELLINGS)
        ]
        captions.append([told(truth, np.random.default_rng(seed)) for seed in seeds])
    np.save(LATENTS, np.concatenate(latents))
    sheet(kept).save(RUNS / "restyled.png")
    written(CAPTIONS, captions)
    CAPTIONS.with_suffix(".source").write_text(made_from())
    print(f"{len(kept)} of {len(made)} kept, {time.monotonic() - started:.0f} s", flush=True)


def sheet(kept: list[Restyled], count: int = 128, columns: int = 16) -> Image.Image:
    """Some of them."""
    page = Image.new("RGB", (columns * 100, -(-count // columns) * 100), (206, 206, 206))
    for place, row in enumerate(np.random.default_rng(1).permutation(len(kept))[:count]):
        picture = image_of(kept[row][3]).resize((96, 96))
        page.paste(picture, (place % columns * 100, place // columns * 100), picture)
    return page


def drawn_restyled(
    drawn: np.ndarray, said: list[list[list[str]]], count: int, rng: np.random.Generator
) -> tuple[Tensor, list[str]]:
    """(latents (count, C, H, W), captions) of some of them; some are told nothing."""
    rows = rng.choice(len(drawn), count, replace=False)
    chosen = [said[row][rng.integers(TELLINGS)][rng.choice(len(WAYS), p=WAYS)] for row in rows]
    chosen = ["" if rng.random() < CAPTION_DROPOUT else caption for caption in chosen]
    return torch.from_numpy(drawn[rows].astype(np.float32)).to(DEVICE), chosen


def train(steps: int, batch: int, minutes: float, peak: float) -> None:
    """Run, or go on, until `steps` are done; a checkpoint every `minutes`. It begins with the whole way of the reward."""
    stored, captions = np.load(LESSONS_DRAWN, mmap_mode="r"), json.loads(LESSONS_TOLD.read_text())
    drawn, said = np.load(LATENTS), json.loads(CAPTIONS.read_text())
    words, scheduler = CLIPTokenizer.from_pretrained(TOKENIZER), build_scheduler()
    chances = np.array([worth(ways[COMPREHENSIVE]) for ways in captions])
    chances /= chances.sum()
    weight = importance(
        standard_autoencoder(lessons()), torch.from_numpy(stored[:64].astype(np.float32)).to(DEVICE)
    )
    model = nn.ModuleDict({"unet": build_unet(), "text": build_text_encoder(words)}).to(DEVICE)
    load(DENOISER, {"mean": model})
    load(REWARD, {"mean": model["unet"]})
    model["unet"].to(memory_format=torch.channels_last)
    mean = averaged(model)
    optimizer = Muon(*by_kind(model), lr=peak)
    modules = {"model": model, "mean": mean}
    start = 0
    if CHECKPOINT.exists():
        check_source(CHECKPOINT, REWARD)
        start = load(CHECKPOINT, modules, optimizer)
    CHECKPOINT.with_suffix(".source").write_text(source(REWARD))
    keeper = Keeper(CHECKPOINT, modules, optimizer, steps, minutes, 25)
    for step in range(start, steps):
        for group in optimizer.param_groups:
            group["lr"] = falling(step, steps, peak, warmup=100)
        rng = np.random.default_rng((SEED, 31, step))
        restyled_ones = drawn_restyled(drawn, said, int(rng.binomial(batch, SHARE)), rng)
        plain_ones = drawn_lessons(stored, captions, chances, batch - len(restyled_ones[1]), rng)
        latents, told_so = (
            torch.cat([plain_ones[0], restyled_ones[0]]),
            plain_ones[1] + restyled_ones[1],
        )
        order = rng.permutation(batch)  # timesteps follow the places
        ids = tokens(words, [told_so[place] for place in order])
        loss = velocity_loss(
            model["unet"], model["text"], scheduler, latents[order], ids, step, weight
        )
        descend(loss, model, optimizer)
        average(mean, model, step, 0.998)
        keeper.after(step, {"loss": float(loss.detach())})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--minutes", type=float, default=4, help="between checkpoints")
    args = parser.parse_args()
    write_restyled()
    train(args.steps, args.batch, args.minutes, args.rate)
