"""Train sticker-mini 3: the same network, going on from what ships, for as long as there is time.

python examples/mini/version_3.py [--steps 2000]      after fetch.py and art.py; goes on from its checkpoint; background.py runs it

The loss is that of denoiser.py; scenes and captions are those of lessons_3.py, told anew each time. Scenes are drawn in parts: the
first ones before the training, one more at every sixth checkpoint until there are PARTS. The rate stays level, and the averaged weights
are those to look at.
Shapes: B pictures; C, H, W latent channels, rows, columns; L tokens.
"""

import argparse
import hashlib
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bank import read_bank, write_bank
from denoiser import build_scheduler, by_kind, importance, velocity_loss
from lessons_3 import FRONTAL, WITHHELD, Lessons, lessons, telling
from settings import DEVICE, RUNS, SEED
from training import Keeper, Muon, average, averaged, descend, load, save
from weights import newest, step_of
from words import tokens
from world import Truth

RUN = RUNS / "v3"
CHECKPOINT = RUN / "version_3.safetensors"
PART, FIRST, PARTS = 6_000, 3, 16  # scenes of a part, parts before the training, and in the end
ANEW = 6  # checkpoints from one part to the next
SINGLES, PAIRS = (
    4.0,
    1.5,
)  # how much likelier plain single subjects and pairs are drawn than their share
BATCH, RATE, WARM, AVERAGE = 32, 5e-4, 200, 0.999
MINUTES = 5  # between checkpoints


@dataclass
class Known:
    """What there is to learn from.

    Args:
        latents: one array of a part, (PART, C, H, W).
        truths: of all parts.
        chances: of all scenes, sum 1.
    """

    latents: list[np.ndarray]
    truths: list[Truth]
    chances: np.ndarray

    def rows(self, chosen: np.ndarray) -> Tensor:
        """Latents (B, C, H, W) of the scenes with these numbers."""
        return torch.from_numpy(
            np.stack([self.latents[row // PART][row % PART] for row in chosen]).astype(np.float32)
        )


def worth(truth: Truth) -> float:
    """How much likelier than its share a scene is drawn."""
    first = truth.things[0]
    if truth.relation:
        return PAIRS
    plain = (
        first.count == 1
        and first.size == "large"
        and not (first.wears or first.colour)
        and truth.ground.kind == "transparent"
    )
    return SINGLES if plain else 1.0


class PartWorld:
    """The world of one part: `scenes[index]` counts from the part's beginning."""

    def __init__(self, scenes: Lessons, number: int) -> None:
        self.scenes, self.number = scenes, number

    def __getitem__(self, index: int) -> tuple[np.ndarray, Truth]:
        return self.scenes[self.number * PART + index]


def part(scenes: Lessons, number: int) -> Path:
    """Where a part lies: what decides its scenes is in its name, so that others are drawn where that changes."""
    kinds = (
        scenes.seed,
        PART,
        sorted(scenes.shares.items()),
        scenes.clear,
        FRONTAL,
        [s.name for s in scenes.subjects],
        WITHHELD,
    )
    return RUN / f"part-{hashlib.sha256(repr(kinds).encode()).hexdigest()[:8]}-{number:02d}"


def written(scenes: Lessons) -> int:
    """How many parts there are."""
    return next(
        number
        for number in range(PARTS + 1)
        if not (part(scenes, number) / "truths.jsonl").exists()
    )


def write_part(
    autoencoder: nn.Module, scenes: Lessons, stop: Callable[[], object] = lambda: False
) -> None:
    """One more part; what was drawn when `stop` said so is kept for the next time."""
    number = written(scenes)
    started = time.monotonic()
    encode = lambda pixels: autoencoder.encode(pixels).latent_dist.mean  # noqa: E731
    write_bank(part(scenes, number), lambda: PartWorld(scenes, number), PART, encode, stop=stop)
    print(
        f"{time.strftime('%H:%M:%S')} part {number} of {PARTS}, {time.monotonic() - started:.0f} s",
        flush=True,
    )


def bank(scenes: Lessons) -> Known:
    """All parts that there are."""
    parts = [read_bank(part(scenes, number), scenes.subjects) for number in range(written(scenes))]
    truths = [truth for _, told in parts for truth in told]
    chances = np.array([worth(truth) for truth in truths])
    return Known([latents for latents, _ in parts], truths, chances / chances.sum())


def train(steps: int, batch: int, minutes: float, peak: float) -> None:
    """Run, or go on, until `steps` are done; a checkpoint every `minutes`."""
    begun = newest()
    scenes, scheduler, autoencoder = lessons(), build_scheduler(), begun.autoencoder
    tell = telling(scenes)
    while written(scenes) < FIRST:
        write_part(autoencoder, scenes)
    known = bank(scenes)
    weight = importance(autoencoder, known.rows(np.arange(64)).to(DEVICE))
    model = begun.model
    model["unet"].to(memory_format=torch.channels_last)
    mean = averaged(model)
    optimizer = Muon(*by_kind(model), lr=peak)
    modules, start = {"model": model, "mean": mean}, begun.step
    if CHECKPOINT.exists() and step_of(CHECKPOINT) >= start:
        start = load(CHECKPOINT, modules, optimizer)
    print(f"{time.strftime('%H:%M:%S')} goes on from step {start}", flush=True)
    keeper = Keeper(CHECKPOINT, modules, optimizer, steps, minutes, 50)
    first, saves, ended = start, 0, []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    for step in range(start, steps):
        if ended:
            save(CHECKPOINT, modules, optimizer, step)
            print(f"{time.strftime('%H:%M:%S')} stopped at step {step}", flush=True)
            return
        for group in optimizer.param_groups:
            group["lr"] = peak * min(1.0, (step - first + 1) / WARM)
        rng = np.random.default_rng((SEED, 51, step))
        chosen = rng.choice(len(known.truths), batch, replace=False, p=known.chances)
        told = tokens(begun.words, [tell(known.truths[row], rng) for row in chosen])
        loss = velocity_loss(
            model["unet"],
            model["text"],
            scheduler,
            known.rows(chosen).to(DEVICE),
            told,
            step,
            weight,
        )
        descend(loss, model, optimizer)
        average(mean, model, step, AVERAGE)
        before = keeper.saved
        keeper.after(step, {"loss": float(loss.detach())})
        saves += keeper.saved != before
        if saves == ANEW and written(scenes) < PARTS:
            write_part(autoencoder, scenes, lambda: ended)
            known, keeper.saved, saves = bank(scenes), time.monotonic(), 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="between checkpoints")
    args = parser.parse_args()
    RUN.mkdir(parents=True, exist_ok=True)
    train(args.steps, args.batch, args.minutes, args.rate)
