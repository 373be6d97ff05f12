"""Train on the shapes of one set in the colours and shading of another: style augmentation.

python -m examples.recipes.mini.style_augmentation [--steps 1200]      after reward.py

Resumes from runs/v2/restyled.safetensors; look at runs/style_augmentation.png. Every drawing that
the denoiser learns belongs to one style, so it could learn shapes with styles, and where a drawing
was withheld it laid the shapes of the other three over each other. Here each learned subject also
comes in the shapes of its other sets: the colours are those of the set that is asked for, taken
from its own drawing of the same subject. Withheld drawings are neither shape nor colour of any. A
picture is kept where the second judge reads its style and knows its subject; the first judge, which
measures, has no part in it.
"""

import argparse
import json
import time
from collections.abc import Iterator
from multiprocessing import Pool

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import CLIPTokenizer

from examples.recipes.mini.art import Subject
from examples.recipes.mini.backgrounds import Ground
from examples.recipes.mini.checkpoint import Checkpointer, load_checkpoint
from examples.recipes.mini.color_transfer import (
    MIN_COLOUR_SHARE,
    NEIGHBOURS,
    PALETTE_SIZE,
    PLACE_WEIGHT,
    SAMPLED_PIXELS,
    SHADED_STYLES,
    transfer_style,
)
from examples.recipes.mini.dataset import (
    CAPTION_DROPOUT,
    COMPREHENSIVE,
    VARIANT_WEIGHTS,
    caption_variants,
    training_world,
)
from examples.recipes.mini.decoder import check_source, source_digest
from examples.recipes.mini.denoiser import CHECKPOINT as DENOISER
from examples.recipes.mini.denoiser import (
    channel_weights,
    sampling_weight,
    velocity_loss,
)
from examples.recipes.mini.latents import CAPTIONS as SCENE_CAPTIONS
from examples.recipes.mini.latents import LATENTS as SCENE_LATENTS
from examples.recipes.mini.latents import (
    TOKENIZER,
    load_standard_autoencoder,
    sample_scenes,
    to_pixels,
    write_json,
)
from examples.recipes.mini.networks import (
    build_scheduler,
    build_text_encoder,
    build_unet,
    muon_groups,
)
from examples.recipes.mini.optim import Muon, clip_and_step, ema_copy, linear_decay_lr, update_ema
from examples.recipes.mini.reward import CHECKPOINT as REWARD
from examples.recipes.mini.scene import SIZES, Thing, Truth, is_withheld
from examples.recipes.mini.settings import DEVICE, PIXELS, RUN, RUNS, SEED, STYLES
from examples.recipes.mini.sprites import paste, resize, to_image
from examples.recipes.mini.tokenizer import tokenize
from examples.recipes.mini.world import World
from stickerforge.models.judge.model import load_judge

CHECKPOINT = RUN / "restyled.safetensors"
LATENTS = RUN / "restyled_drawings.npy"
CAPTIONS = RUN / "restyled_drawings.json"
CAPTIONS_SEED = 22
AUGMENTED_SHARE = 0.25  # of a batch
# Of the way from the rewarded denoiser to this one: more of it draws withheld subjects rightly, and
# learned ones less sharply.
MIX = 0.4
CAPTIONS_EACH = 3  # of each picture, each in all the ways of dataset.py
TOP_SUBJECTS = 3  # likeliest subjects that the right one must be among
ENCODE_BATCH = 64  # pictures that are encoded at once

# Subject's index, the style of the shape, that of the colours, premultiplied uint8.
Augmented = tuple[int, str, str, np.ndarray]


def restyle_subject(subject: Subject) -> list[Augmented]:
    """Every shape that is learned of a subject in every other style that is."""
    scenes = training_world()
    known = [style for style in STYLES if not is_withheld("generator", subject.codepoints, style)]
    results = []
    for target in known:
        for other in known:
            if other != target:
                sprites = (
                    np.asarray(scenes.sprites[subject.index, STYLES.index(name)])
                    for name in (other, target)
                )
                picture = np.zeros((PIXELS, PIXELS, 4), np.uint8)
                paste(
                    picture,
                    resize(transfer_style(*sprites, target), round(PIXELS * SIZES["large"])),
                    PIXELS / 2,
                    PIXELS / 2,
                )
                results.append((subject.index, other, target, picture))
    return results


def filter_by_judge(scenes: World, candidates: list[Augmented]) -> Iterator[Augmented]:
    """Those whose style the second judge reads rightly, with the subject among its likeliest."""
    judge, by_index = load_judge("second"), {subject.index: subject for subject in scenes.subjects}
    for start in range(0, len(candidates), 256):
        part = candidates[start : start + 256]
        read = judge.read(judge.pictures([to_image(each[3]) for each in part]))
        likeliest = read.subject.topk(TOP_SUBJECTS, 1).indices.tolist()
        for row, each in enumerate(part):
            subject = judge.labels.index(judge.label_of[by_index[each[0]].name])
            if judge.styles[int(read.style[row].argmax())] == each[2] and subject in likeliest[row]:
                yield each


def augmentation_digest() -> str:
    """What decides the restyled drawings and their captions."""
    transfer = (PALETTE_SIZE, MIN_COLOUR_SHARE, SAMPLED_PIXELS, PLACE_WEIGHT, NEIGHBOURS)
    settings = (CAPTIONS_SEED, CAPTIONS_EACH, *transfer, SHADED_STYLES, TOP_SUBJECTS)
    return f"{source_digest()} {settings}"


@torch.no_grad()
def write_augmented() -> None:
    """Latents (N, C, H, W) as float16, and every caption of each: [picture][telling][way]."""
    mark = CAPTIONS.with_suffix(".source")
    if CAPTIONS.exists() and mark.exists() and mark.read_text() == augmentation_digest():
        return
    scenes, started = training_world(), time.monotonic()
    with Pool() as workers:
        candidates = [
            each
            for result in workers.imap(restyle_subject, scenes.subjects, chunksize=4)
            for each in result
        ]
    selected = list(filter_by_judge(scenes, candidates))
    autoencoder, by_index = (
        load_standard_autoencoder(scenes),
        {subject.index: subject for subject in scenes.subjects},
    )
    latents, captions = [], []
    for start in range(0, len(selected), ENCODE_BATCH):
        pixels = to_pixels(np.stack([each[3] for each in selected[start : start + ENCODE_BATCH]]))
        latents.append(autoencoder.encode(pixels.to(DEVICE)).latent_dist.mean.half().cpu().numpy())
    for index, other, target, _ in selected:
        truth = Truth(target, (Thing(by_index[index]),), "", Ground("transparent"))
        seeds = [
            (CAPTIONS_SEED, index, STYLES.index(other), STYLES.index(target), telling)
            for telling in range(CAPTIONS_EACH)
        ]
        captions.append([caption_variants(truth, np.random.default_rng(seed)) for seed in seeds])
    np.save(LATENTS, np.concatenate(latents))
    augmentation_sheet(selected).save(RUNS / "style_augmentation.png")
    write_json(CAPTIONS, captions)
    CAPTIONS.with_suffix(".source").write_text(augmentation_digest())
    print(
        f"{len(selected)} of {len(candidates)} kept, {time.monotonic() - started:.0f} s", flush=True
    )


def augmentation_sheet(
    pictures: list[Augmented], count: int = 128, columns: int = 16
) -> Image.Image:
    """Some of them."""
    page = Image.new("RGB", (columns * 100, -(-count // columns) * 100), (206, 206, 206))
    for place, row in enumerate(np.random.default_rng(1).permutation(len(pictures))[:count]):
        picture = to_image(pictures[row][3]).resize((96, 96))
        page.paste(picture, (place % columns * 100, place // columns * 100), picture)
    return page


def sample_augmented(
    stored: np.ndarray, captions: list[list[list[str]]], count: int, rng: np.random.Generator
) -> tuple[Tensor, list[str]]:
    """(latents (count, C, H, W), captions) of random ones; some captions are empty."""
    rows = rng.choice(len(stored), count, replace=False)
    texts = [
        captions[row][rng.integers(CAPTIONS_EACH)][
            rng.choice(len(VARIANT_WEIGHTS), p=VARIANT_WEIGHTS)
        ]
        for row in rows
    ]
    texts = ["" if rng.random() < CAPTION_DROPOUT else caption for caption in texts]
    return torch.from_numpy(stored[rows].astype(np.float32)).to(DEVICE), texts


def train(steps: int, batch: int, minutes: float, peak: float) -> None:
    """Run, or go on, until `steps` are done; a checkpoint every `minutes`.

    It begins with the weights of reward.py, unmixed.
    """
    stored, captions = np.load(SCENE_LATENTS, mmap_mode="r"), json.loads(SCENE_CAPTIONS.read_text())
    augmented, augmented_captions = np.load(LATENTS), json.loads(CAPTIONS.read_text())
    words, scheduler = CLIPTokenizer.from_pretrained(TOKENIZER), build_scheduler()
    chances = np.array([sampling_weight(ways[COMPREHENSIVE]) for ways in captions])
    chances /= chances.sum()
    weight = channel_weights(
        load_standard_autoencoder(training_world()),
        torch.from_numpy(stored[:64].astype(np.float32)).to(DEVICE),
    )
    model = nn.ModuleDict({"unet": build_unet(), "text": build_text_encoder(words)}).to(DEVICE)
    load_checkpoint(DENOISER, {"mean": model})
    load_checkpoint(REWARD, {"mean": model["unet"]})
    model["unet"].to(memory_format=torch.channels_last)
    mean = ema_copy(model)
    optimizer = Muon(*muon_groups(model), lr=peak)
    modules = {"model": model, "mean": mean}
    start = 0
    if CHECKPOINT.exists():
        check_source(CHECKPOINT, REWARD)
        start = load_checkpoint(CHECKPOINT, modules, optimizer)
    CHECKPOINT.with_suffix(".source").write_text(source_digest(REWARD))
    keeper = Checkpointer(CHECKPOINT, modules, optimizer, steps, minutes, 25)
    for step in range(start, steps):
        for group in optimizer.param_groups:
            group["lr"] = linear_decay_lr(step, steps, peak, warmup=100)
        rng = np.random.default_rng((SEED, 31, step))
        restyled_ones = sample_augmented(
            augmented, augmented_captions, int(rng.binomial(batch, AUGMENTED_SHARE)), rng
        )
        plain_ones = sample_scenes(stored, captions, chances, batch - len(restyled_ones[1]), rng)
        latents, texts = (
            torch.cat([plain_ones[0], restyled_ones[0]]),
            plain_ones[1] + restyled_ones[1],
        )
        order = rng.permutation(batch)  # timesteps follow the places
        ids = tokenize(words, [texts[place] for place in order])
        loss = velocity_loss(
            model["unet"], model["text"], scheduler, latents[order], ids, step, weight
        )
        clip_and_step(loss, model, optimizer)
        update_ema(mean, model, step, 0.998)
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
    write_augmented()
    train(args.steps, args.batch, args.minutes, args.rate)
