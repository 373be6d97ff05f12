"""Train the denoiser further on states as it reaches them itself, with a reward for the style that was asked for.

python examples/mini/reward.py [--steps 850] [--workers 2]      after decoder.py; resumes from runs/v2/reward.safetensors

Until here it has seen real drawings under noise, and half of the drawings that it never saw come out with the palette and the
shading of other styles. Now it draws prompts as `generate` does, and a step takes some of the states on the way:

- from each it is to reach the drawing that was asked for, where the state is near it (`near`);
- the pictures it would make of later ones are read by the second judge: the style that it reads is to be the one asked for, and the
  look (palette, steps between neighbours) that of the drawing. Earlier estimates are means of what may become of them, and no style
  can be asked of a mean. Prompts also name subjects that it was never shown, so that a style is learned as such and not with a subject.

The gradient goes through one step only (ReFL: Xu et al. 2023, arXiv:2304.05977, Algorithm 1; DRaFT-1: Clark et al. 2024,
arXiv:2309.17400). As many pictures under plain noise keep everything else. The first judge, which measures, has no part in it.
Shapes: B states; C, H, W latent channels, rows, columns; L tokens; D text width.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn
from torch.distributed import all_reduce, destroy_process_group, init_process_group
from torch.multiprocessing.spawn import spawn
from torch.nn import functional as F
from transformers import CLIPTokenizer

from art import load as load_art
from art import withheld_names
from captions import article
from decoder import check_source, finished_autoencoder, source
from denoiser import (
    CAPTION_DROPOUT,
    CAPTIONS,
    LATENTS,
    TOKENIZER,
    build_scheduler,
    build_text_encoder,
    build_unet,
    importance,
    pixels_of,
    standard_autoencoder,
    velocity_loss,
    worth,
    write_latents,
)
from denoiser import CHECKPOINT as DENOISER
from lessons import COMPREHENSIVE, WAYS, lessons
from scenes import short_name
from settings import DEVICE, RUN, SEED, STYLES
from stickerforge.models.judge.model import load_judge
from stickerforge.models.judge.network import BINS, CHANGES, DRAWING_FEATURES, SOLID
from training import average, averaged, load, save
from words import tokens

CHECKPOINT = RUN / "reward.safetensors"
PROMPTS, STEPS = (
    16,
    (4, 7),
)  # drawn at once, in so few steps of DDIM: many prompts tell more than many states of one
STRANGERS = 0.25  # share of the prompts that name subjects it was never shown
GUIDANCE = (1.0, 3.0)  # between these
STRAY = 0.5  # states whose estimate is further (mean square) from the drawing that was asked for show another one
REWARD, MATCH = 0.1, 0.005  # weights of the style that is read, and of the look
LATE = 800  # timesteps below it are read
READ = 6  # states of a step at most: decoding takes longer than denoising
SOFT = 1e-5  # added to shares before their root, whose slope at nothing is infinite
TAKEN = 0.75  # of the way from the denoiser to what is trained here: the whole way costs small details, such as eyes
WIDTH = 0.35  # of the sigmoids that stand for thresholds, as a share of them


@dataclass(frozen=True)
class Asked:
    """A prompt.

    Args:
        style: its index.
        latents: of the drawing that it asks for, (C, H, W); zeros where nobody drew it.
        look: of that drawing, (LOOK,).
    """

    caption: str
    style: int
    latents: Tensor
    look: Tensor


@dataclass(frozen=True)
class Reached:
    """A state on the way from noise to a picture.

    Args:
        noisy: (C, H, W).
        without: the velocity there without a text, (C, H, W).
        timestep: of the scheduler.
        guidance: that it was drawn with.
        text: hidden states of the prompt, (L, D).
    """

    noisy: Tensor
    without: Tensor
    timestep: int
    guidance: float
    text: Tensor
    asked: Asked


class Prompts:
    """What is asked for: scenes without a ground, whose figures alone a style is read from, and things that were never shown."""

    def __init__(self, stored: np.ndarray, captions: list[list[str]], reader: "Reader") -> None:
        self.stored, self.captions, self.reader, self.scenes = stored, captions, reader, lessons()
        self.clear = [
            row for row, ways in enumerate(captions) if ways[COMPREHENSIVE].endswith(" style")
        ]
        chances = np.array([worth(captions[row][COMPREHENSIVE]) for row in self.clear])
        self.chances = chances / chances.sum()
        hidden = withheld_names()
        self.strangers = [s.name for s in load_art()[0] if not s.kind and s.name not in hidden]

    def ask(self, rng: np.random.Generator) -> Asked:
        """One of them."""
        if rng.random() < STRANGERS:
            style = int(rng.integers(len(STYLES)))
            name = article(short_name(str(rng.choice(self.strangers))))
            return Asked(
                f"{name}, in {STYLES[style]} style",
                style,
                torch.zeros(self.stored.shape[1:]),
                torch.zeros(DRAWING_FEATURES),
            )
        row = self.clear[rng.choice(len(self.clear), p=self.chances)]
        ways = self.captions[row]
        name = ways[COMPREHENSIVE].split(" ")[-2]
        said = ways[rng.choice(COMPREHENSIVE + 1)]
        caption = said if f"{name} style" in said else ways[COMPREHENSIVE]
        look = self.reader.look(pixels_of(self.scenes[row][0][None]))[0]
        return Asked(
            caption, STYLES.index(name), torch.from_numpy(self.stored[row].astype(np.float32)), look
        )


class Reader:
    """The second judge's style head, with a gradient."""

    def __init__(self) -> None:
        judge = load_judge("second")
        self.pixels, self.head = judge.network.shape.pixels, judge.network.style.to(DEVICE)
        self.place = torch.tensor([judge.styles.index(style) for style in STYLES])

    def look(self, decoded: Tensor) -> Tensor:
        """Of pictures (B, 4, P, P) in [-1, 1], premultiplied; (B, LOOK)."""
        small = F.interpolate(
            (decoded + 1) / 2, size=self.pixels, mode="bicubic", antialias=True
        ).clamp(0, 1)
        on_white = (small[:, :3] + 1 - small[:, 3:]).clamp(0, 1)
        return soft_look(on_white, small[:, 3] > SOLID)

    def logits(self, look: Tensor) -> Tensor:
        """Of looks (B, LOOK); (B, styles), in the order of STYLES."""
        return self.head(look)[:, self.place]  # type: ignore[no-any-return]


def soft_look(pictures: Tensor, solid: Tensor) -> Tensor:
    """The judges' `look` with a gradient: roots are softened at nothing, and thresholds have the slope of sigmoids.

    Args:
        pictures: (B, 3, P, P) in [0, 1].
        solid: whether a pixel belongs to the figure, (B, P, P).
    """
    place = pictures.flatten(2) * (BINS - 1)
    below = place.detach().floor().clamp(max=BINS - 2)
    share, below, weight = place - below, below.long(), solid.flatten(1).float()
    palette = pictures.new_zeros((len(pictures), BINS**3))
    for corner in product((0, 1), repeat=3):
        side = torch.tensor(corner, device=pictures.device)[:, None]
        red, green, blue = (below + side).unbind(1)
        near = (side * share + (1 - side) * (1 - share)).prod(1)
        palette = palette.scatter_add(1, (red * BINS + green) * BINS + blue, near * weight)
    changes = []
    for dim in (2, 3):
        step = pictures.diff(dim=dim).abs().amax(1)
        both = (
            solid.narrow(dim - 1, 1, solid.shape[dim - 1] - 1)
            & solid.narrow(dim - 1, 0, solid.shape[dim - 1] - 1)
        ).float()
        pairs = both.sum((1, 2)).clamp(min=1)
        for threshold in CHANGES:
            soft = torch.sigmoid((step - threshold) / (WIDTH * threshold))
            passed = (
                soft + ((step > threshold).float() - soft).detach()
            )  # the value of the threshold, the slope of the sigmoid
            changes.append((passed * both).sum((1, 2)) / pairs)
    shares = palette / weight.sum(1, keepdim=True).clamp(min=1)
    return torch.cat([8 * ((shares + SOFT).sqrt() - SOFT**0.5), 4 * torch.stack(changes, 1)], 1)


@torch.no_grad()
def walk(
    unet: nn.Module,
    scheduler: DDIMScheduler,
    asked: list[Asked],
    text: Tensor,
    empty: Tensor,
    rng: np.random.Generator,
) -> list[Reached]:
    """Draw prompts from noise, and keep every state on the way, in an order that mixes them."""
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 40)))
    noisy = torch.randn((len(asked), *asked[0].latents.shape), generator=generator).to(DEVICE)
    guidance = float(rng.uniform(*GUIDANCE))
    scheduler.set_timesteps(int(rng.integers(*STEPS)))
    found = []
    for timestep in scheduler.timesteps:
        without, told = unet(
            noisy.repeat(2, 1, 1, 1), timestep, torch.cat([empty.expand_as(text), text])
        ).sample.chunk(2)
        found += [
            Reached(noisy[i], without[i], int(timestep), guidance, text[i], each)
            for i, each in enumerate(asked)
        ]
        noisy = scheduler.step(without + guidance * (told - without), timestep, noisy).prev_sample
    return [found[i] for i in rng.permutation(len(found))]


def reached_loss(
    unet: nn.Module,
    decode: nn.Module,
    scheduler: DDIMScheduler,
    reader: Reader,
    states: list[Reached],
    weight: Tensor,
) -> tuple[Tensor, dict[str, float]]:
    """How far estimates from states are from the drawing asked for, in latents and in their look, and the cross-entropy of their style.

    An estimate is sqrt(a) x - sqrt(1 - a) v at a state x with velocity v and signal a (Salimans & Ho 2022, arXiv:2202.00512).
    The first one is of the prompt alone, the picture that is read has guidance.

    Args:
        weight: of the channels, (C, 1, 1).
    """
    noisy, without = (
        torch.stack([s.noisy for s in states]),
        torch.stack([s.without for s in states]),
    )
    latents = torch.stack([s.asked.latents for s in states]).to(DEVICE)
    timesteps = torch.tensor([s.timestep for s in states], device=DEVICE)
    guidance = torch.tensor([s.guidance for s in states], device=DEVICE)[:, None, None, None]
    velocity = unet(noisy, timesteps, torch.stack([s.text for s in states])).sample
    signal = scheduler.alphas_cumprod.to(DEVICE)[timesteps][:, None, None, None]
    estimate = signal.sqrt() * noisy - (1 - signal).sqrt() * velocity
    guided = signal.sqrt() * noisy - (1 - signal).sqrt() * (
        without + guidance * (velocity - without)
    )
    known = latents.abs().amax((1, 2, 3)) > 0
    near = known & ((estimate.detach() - latents).square().mean((1, 2, 3)) < STRAY)
    reach = ((estimate - latents).square() * weight).mean((1, 2, 3))[near].sum() / len(states)
    late = (timesteps < LATE).nonzero()[:READ, 0]
    look = reader.look(decode(guided[late]).sample)
    wanted = torch.tensor([states[i].asked.style for i in late], device=DEVICE)
    logits = reader.logits(look)
    style = F.cross_entropy(logits, wanted)
    away = (look - torch.stack([states[i].asked.look for i in late]).to(DEVICE)).square().sum(1)
    match = away[near[late]].sum() / len(late)
    right = (logits.argmax(1) == wanted).float()
    told = {
        "reach": reach,
        "style": style,
        "match": match,
        "right": right.mean(),
        "near": near.float().mean(),
    }
    return reach + REWARD * style + MATCH * match, {
        name: float(value.detach()) for name, value in told.items()
    }


def share_gradients(parameters: list[nn.Parameter], workers: int) -> None:
    """Give every worker the mean of all gradients."""
    if workers == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    all_reduce(flat)
    for gradient, part in zip(
        gradients, flat.div_(workers).split([g.numel() for g in gradients]), strict=True
    ):
        gradient.copy_(part.view(gradient.shape))


def pools(
    unet: nn.Module,
    text: nn.Module,
    prompts: Prompts,
    words: CLIPTokenizer,
    batch: int,
    worker: int,
    start: int,
) -> Iterator[list[Reached]]:
    """States for one step after the other; prompts are drawn anew when those that were kept are used up."""
    scheduler = build_scheduler()
    with torch.no_grad():
        empty = read(text, words, [""])
    for round_ in range(start, 1 << 40):
        rng = np.random.default_rng((SEED, 11, worker, round_))
        asked = [prompts.ask(rng) for _ in range(PROMPTS)]
        with torch.no_grad():
            states = read(text, words, [each.caption for each in asked])
        kept = walk(unet, scheduler, asked, states, empty, rng)
        yield from (kept[place : place + batch] for place in range(0, len(kept) - batch + 1, batch))


def read(text: nn.Module, words: CLIPTokenizer, captions: list[str]) -> Tensor:
    """Hidden states of captions, (B, L, D)."""
    return text(tokens(words, captions)).last_hidden_state  # type: ignore[no-any-return]


def drawn_lessons(
    stored: np.ndarray,
    captions: list[list[str]],
    chances: np.ndarray,
    batch: int,
    rng: np.random.Generator,
) -> tuple[Tensor, list[str]]:
    """(latents (B, C, H, W), captions) of scenes as denoiser.py takes them; some are told nothing."""
    rows = rng.choice(len(stored), batch, replace=False, p=chances)
    said = [
        captions[row][way]
        for row, way in zip(rows, rng.choice(len(WAYS), batch, p=WAYS), strict=True)
    ]
    said = ["" if rng.random() < CAPTION_DROPOUT else caption for caption in said]
    return torch.from_numpy(stored[rows].astype(np.float32)).to(DEVICE), said


def falling(step: int, steps: int, peak: float, warmup: int = 30) -> float:
    """Learning rate: a linear start, level, and down to nothing over the last two fifths."""
    return peak * min(1.0, (step + 1) / warmup, (steps - step) / (0.4 * steps))


def train(
    worker: int, workers: int, steps: int, batch: int, minutes: float, peak: float, scenes: int
) -> None:
    """Run, or go on, until `steps` are done; a checkpoint every `minutes`."""
    if workers > 1:
        os.environ |= {
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": os.environ.get("MASTER_PORT", "29517"),
        }
        init_process_group("gloo", rank=worker, world_size=workers)
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))
    stored, captions = (
        np.load(LATENTS, mmap_mode="r")[:scenes],
        json.loads(CAPTIONS.read_text())[:scenes],
    )
    words = CLIPTokenizer.from_pretrained(TOKENIZER)
    autoencoder = finished_autoencoder(standard_autoencoder(lessons())).requires_grad_(False)
    weight = importance(autoencoder, torch.from_numpy(stored[:64].astype(np.float32)).to(DEVICE))
    scheduler, reader = build_scheduler(), Reader()
    prompts = Prompts(stored, captions, reader)
    model = nn.ModuleDict({"unet": build_unet(), "text": build_text_encoder(words)}).to(DEVICE)
    load(DENOISER, {"mean": model})
    model["text"].requires_grad_(False)
    unet = model["unet"].to(memory_format=torch.channels_last)
    mean = averaged(unet)
    parameters = list(unet.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=peak, betas=(0.9, 0.99), weight_decay=0.0)
    modules = {"model": unet, "mean": mean}
    start = 0
    if CHECKPOINT.exists():
        check_source(CHECKPOINT)
        start = load(CHECKPOINT, modules, optimizer)
    CHECKPOINT.with_suffix(".source").write_text(source())
    states = pools(unet, model["text"], prompts, words, batch, worker, start)
    chances = np.array([worth(ways[COMPREHENSIVE]) for ways in captions])
    chances /= chances.sum()
    saved, recent = time.monotonic(), []
    for step in range(start, steps):
        for group in optimizer.param_groups:
            group["lr"] = falling(step, steps, peak)
        loss, told = reached_loss(unet, autoencoder.decode, scheduler, reader, next(states), weight)
        latents, said = drawn_lessons(
            stored, captions, chances, batch, np.random.default_rng((SEED, 12, worker, step))
        )
        plain = velocity_loss(
            unet,
            model["text"],
            scheduler,
            latents,
            tokens(words, said),
            step * workers + worker,
            weight,
        )
        optimizer.zero_grad(set_to_none=True)
        (loss + plain).backward()
        share_gradients(parameters, workers)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average(mean, unet, step, 0.98)
        recent.append(told | {"plain": float(plain.detach())})
        if len(recent) == 20 and worker == 0:
            shown = ", ".join(
                f"{key} {np.mean([each[key] for each in recent]):.4f}" for key in recent[0]
            )
            print(f"{time.strftime('%H:%M:%S')} step {step + 1} {shown}", flush=True)
            recent = []
        if worker == 0 and (time.monotonic() - saved > 60 * minutes or step + 1 == steps):
            save(CHECKPOINT, modules, optimizer, step + 1)
            saved = time.monotonic()
    if workers > 1:
        destroy_process_group()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=850)
    parser.add_argument("--batch", type=int, default=12, help="of every worker")
    parser.add_argument("--rate", type=float, default=6e-5)
    parser.add_argument("--scenes", type=int, default=60_000)
    parser.add_argument("--minutes", type=float, default=4, help="between checkpoints")
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        help="processes that share a step; on two cores two are faster than one",
    )
    args = parser.parse_args()
    write_latents(args.scenes)
    given = (args.workers, args.steps, args.batch, args.minutes, args.rate, args.scenes)
    if args.workers == 1:
        train(0, *given)
    else:
        spawn(train, given, args.workers)
