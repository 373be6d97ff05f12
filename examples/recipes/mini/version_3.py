"""Train sticker-mini 3: the same network, going on from what ships, for as long as there is time.

python -m examples.recipes.mini.version_3 [--steps 2000]      after fetch.py and art.py

Goes on from its checkpoint; background.py runs it. The loss is that of denoiser.py; scenes and
captions are those of dataset_3.py, the captions drawn anew in each step. Scenes come in shards: the
first ones before the training, one more at every sixth checkpoint until there are MAX_SHARDS. The
rate stays level, and the averaged weights are those to look at.

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

from examples.recipes.mini.caption_sampler import make_caption_sampler
from examples.recipes.mini.checkpoint import (
    Checkpointer,
    checkpoint_step,
    load_checkpoint,
    save_checkpoint,
)
from examples.recipes.mini.dataset_3 import FRONTAL, WITHHELD, World3, training_world_3
from examples.recipes.mini.denoiser import channel_weights, velocity_loss
from examples.recipes.mini.latent_cache import read_latent_cache, write_latent_cache
from examples.recipes.mini.networks import build_scheduler, muon_groups
from examples.recipes.mini.optim import Muon, clip_and_step, ema_copy, update_ema
from examples.recipes.mini.scene import Truth
from examples.recipes.mini.settings import DEVICE, RUNS, SEED
from examples.recipes.mini.tokenizer import tokenize
from examples.recipes.mini.weights import load_newest

RUN = RUNS / "v3"
CHECKPOINT = RUN / "version_3.safetensors"
# Scenes of a shard, shards before the training, and in the end.
SHARD, FIRST_SHARDS, MAX_SHARDS = 6_000, 3, 16
SHARD_EVERY = 6  # checkpoints from one shard to the next
# How much likelier plain single subjects and pairs are drawn than their share.
SINGLES, PAIRS = 4.0, 1.5
# It goes on from a lap whose rate ended at 0 over batches of 2,048: a higher one undoes it.
BATCH, RATE, WARMUP, EMA_DECAY = 32, 1e-4, 200, 0.999
MINUTES = 5  # between checkpoints


@dataclass
class TrainingData:
    """What there is to learn from.

    Args:
        latents: of each shard, (SHARD, C, H, W).
        truths: of all shards.
        chances: of all scenes, sum 1.
    """

    latents: list[np.ndarray]
    truths: list[Truth]
    chances: np.ndarray

    def rows(self, indices: np.ndarray) -> Tensor:
        """Latents (B, C, H, W) of the scenes with these numbers."""
        return torch.from_numpy(
            np.stack([self.latents[row // SHARD][row % SHARD] for row in indices]).astype(
                np.float32
            )
        )


def sampling_weight(truth: Truth) -> float:
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


class ShardWorld:
    """The scenes of one shard; the index counts from its beginning."""

    def __init__(self, scenes: World3, number: int) -> None:
        self.scenes, self.number = scenes, number

    def __getitem__(self, index: int) -> tuple[np.ndarray, Truth]:
        return self.scenes[self.number * SHARD + index]


def shard_folder(scenes: World3, number: int) -> Path:
    """The folder of a shard.

    Its name changes with everything that decides the scenes, so that they are drawn anew.
    """
    kinds = (
        scenes.seed,
        SHARD,
        sorted(scenes.shares.items()),
        scenes.clear,
        FRONTAL,
        [s.name for s in scenes.subjects],
        WITHHELD,
    )
    return RUN / f"part-{hashlib.sha256(repr(kinds).encode()).hexdigest()[:8]}-{number:02d}"


def count_shards(scenes: World3) -> int:
    """How many shards are written."""
    return next(
        number
        for number in range(MAX_SHARDS + 1)
        if not (shard_folder(scenes, number) / "truths.jsonl").exists()
    )


def write_shard(
    autoencoder: nn.Module, scenes: World3, stop: Callable[[], object] = lambda: False
) -> None:
    """Write one more shard; where `stop` returns true it is continued the next time."""
    number = count_shards(scenes)
    started = time.monotonic()
    encode = lambda pixels: autoencoder.encode(pixels).latent_dist.mean  # noqa: E731
    write_latent_cache(
        shard_folder(scenes, number), lambda: ShardWorld(scenes, number), SHARD, encode, stop=stop
    )
    seconds = time.monotonic() - started
    print(
        f"{time.strftime('%H:%M:%S')} shard {number} of {MAX_SHARDS}, {seconds:.0f} s", flush=True
    )


def read_shards(scenes: World3) -> TrainingData:
    """All shards that are written."""
    parts = [
        read_latent_cache(shard_folder(scenes, number), scenes.subjects)
        for number in range(count_shards(scenes))
    ]
    truths = [truth for _, shard_truths in parts for truth in shard_truths]
    chances = np.array([sampling_weight(truth) for truth in truths])
    return TrainingData([latents for latents, _ in parts], truths, chances / chances.sum())


def train(steps: int, batch: int, minutes: float, peak: float) -> None:
    """Run, or go on, until `steps` are done; a checkpoint every `minutes`."""
    initial = load_newest()
    scenes, scheduler, autoencoder = (
        training_world_3(everything=True),
        build_scheduler(),
        initial.autoencoder,
    )
    tell = make_caption_sampler(scenes)
    while count_shards(scenes) < FIRST_SHARDS:
        write_shard(autoencoder, scenes)
    data = read_shards(scenes)
    weight = channel_weights(autoencoder, data.rows(np.arange(64)).to(DEVICE))
    model = initial.model
    model["unet"].to(memory_format=torch.channels_last)
    mean = ema_copy(model)
    optimizer = Muon(*muon_groups(model), lr=peak)
    modules, start = {"model": model, "mean": mean}, initial.step
    if CHECKPOINT.exists() and checkpoint_step(CHECKPOINT) >= start:
        start = load_checkpoint(CHECKPOINT, modules, optimizer)
    print(f"{time.strftime('%H:%M:%S')} goes on from step {start}", flush=True)
    keeper = Checkpointer(CHECKPOINT, modules, optimizer, steps, minutes, 50)
    first, saves, ended = start, 0, []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    for step in range(start, steps):
        if ended:
            save_checkpoint(CHECKPOINT, modules, optimizer, step)
            print(f"{time.strftime('%H:%M:%S')} stopped at step {step}", flush=True)
            return
        for group in optimizer.param_groups:
            group["lr"] = peak * min(1.0, (step - first + 1) / WARMUP)
        rng = np.random.default_rng((SEED, 51, step))
        rows = rng.choice(len(data.truths), batch, replace=False, p=data.chances)
        token_ids = tokenize(initial.words, [tell(data.truths[row], rng) for row in rows])
        loss = velocity_loss(
            model["unet"],
            model["text"],
            scheduler,
            data.rows(rows).to(DEVICE),
            token_ids,
            step,
            weight,
        )
        clip_and_step(loss, model, optimizer)
        update_ema(mean, model, step, EMA_DECAY)
        before = keeper.saved
        keeper.after(step, {"loss": float(loss.detach())})
        saves += keeper.saved != before
        if saves == SHARD_EVERY and count_shards(scenes) < MAX_SHARDS:
            write_shard(autoencoder, scenes, lambda: ended)
            data, keeper.saved, saves = read_shards(scenes), time.monotonic(), 0


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
