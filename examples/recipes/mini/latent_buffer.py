"""A first-in, first-out buffer of latents on the device, filled by worker processes.

Shapes: N scenes; B pictures; C, H, W latent channels, rows, columns; K captions of a scene; L
tokens.
"""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch import multiprocessing as mp
from transformers import CLIPTokenizer

from examples.recipes.mini.caption_sampler import make_caption_sampler
from examples.recipes.mini.dataset_3 import training_world_3
from examples.recipes.mini.scene import Truth
from examples.recipes.mini.settings import LATENT_CHANNELS, MODEL, PIXELS, SEED
from examples.recipes.mini.tokenizer import TEXT_LENGTH

# Shares of the scenes that are drawn, and of those that are learned from: a single thing always
# looks the same, and pairs are as many as pairs of names.
SHARES = {
    "one": 0.30,
    "mirrored": 0.02,
    "placed": 0.05,
    "counted": 0.13,
    "pair": 0.38,
    "dressed": 0.07,
    "suited": 0.05,
}
LEARNED_SHARES = {
    "one": 0.58,
    "mirrored": 0.02,
    "placed": 0.04,
    "counted": 0.08,
    "pair": 0.20,
    "dressed": 0.05,
    "suited": 0.03,
}
WEIGHTS = {kind: share / SHARES[kind] for kind, share in LEARNED_SHARES.items()}
CAPTIONS_EACH, BLOCK = 6, 64  # captions of each scene; scenes of a block


# Pixels uint8 (BLOCK, P, P, 4), tokens int16 (BLOCK, K, L), weights float32 (BLOCK,).
SceneBlock = tuple[np.ndarray, np.ndarray, np.ndarray]


def scene_weight(truth: Truth) -> float:
    """How often a scene is learned from, beside how often its kind is drawn: WEIGHTS."""
    first = truth.things[0]
    kinds = {
        "pair": truth.relation,
        "suited": first.wears == "space suit",
        "dressed": first.wears,
        "counted": first.count > 1,
        "placed": first.size != "large",
        "mirrored": first.mirrored,
    }
    return WEIGHTS[next((kind for kind, is_so in kinds.items() if is_so), "one")]


def produce_scenes(worker: int, workers: int, step: int, handed: "mp.Queue[SceneBlock]") -> None:
    """Draw every `workers`-th block of scenes with captions of each, without end.

    Args:
        step: of version 3, which the lap begins with; it decides the scenes.
        handed: where the blocks go.
    """
    torch.set_num_threads(1)
    scenes = training_world_3(everything=True)
    scenes.shares, scenes.seed = SHARES, scenes.seed + step
    tell, words = make_caption_sampler(scenes), CLIPTokenizer.from_pretrained(MODEL / "tokenizer")
    for block in range(worker, 1 << 40, workers):
        indices = range(block * BLOCK, (block + 1) * BLOCK)
        block_scenes = [scenes[index] for index in indices]
        texts = [
            tell(truth, np.random.default_rng((SEED, 61, step, index, k)))
            for index, (_, truth) in zip(indices, block_scenes, strict=True)
            for k in range(CAPTIONS_EACH)
        ]
        ids = words(
            texts,
            padding="max_length",
            truncation=True,
            max_length=TEXT_LENGTH,
            return_tensors="np",
        ).input_ids
        handed.put(
            (
                np.stack([rgba for rgba, _ in block_scenes]),
                ids.astype(np.int16).reshape(BLOCK, CAPTIONS_EACH, TEXT_LENGTH),
                np.array([scene_weight(truth) for _, truth in block_scenes], np.float32),
            )
        )


def read_ahead(handed: "mp.Queue[SceneBlock]", most: int = 64) -> "queue.Queue[SceneBlock]":
    """Blocks as they come, read by a thread: asking the pipes of processes mostly finds none."""
    read: queue.Queue[SceneBlock] = queue.Queue(most)

    def pass_on() -> None:
        while True:
            read.put(handed.get())

    threading.Thread(target=pass_on, daemon=True).start()
    return read


@dataclass
class LatentBuffer:
    """Latents and tokenized captions of scenes on the device.

    Args:
        encode: pixels (B, 4, P, P) to latents (B, C, H, W).
        room: scenes that fit; further ones take the places of the oldest.
        total: scenes that have come so far.
    """

    encode: Callable[[Tensor], Tensor]
    device: str
    room: int
    total: int = 0
    latents: Tensor = field(init=False)
    tokens: Tensor = field(init=False)
    weights: Tensor = field(init=False)

    def __post_init__(self) -> None:
        side = PIXELS // 8
        self.latents = torch.empty(
            self.room, LATENT_CHANNELS, side, side, dtype=torch.float16, device=self.device
        )
        self.tokens = torch.empty(
            self.room, CAPTIONS_EACH, TEXT_LENGTH, dtype=torch.int16, device=self.device
        )
        self.weights = torch.empty(self.room, device=self.device)

    @torch.no_grad()
    def take(self, handed: "queue.Queue[SceneBlock]", wait: float = 0.0, most: int = 2) -> None:
        """Encode blocks that the workers have drawn.

        Args:
            wait: seconds to wait for the first one.
            most: how many blocks to take at most.
        """
        for number in range(most):
            try:
                pixels, tokens, weights = (
                    handed.get(timeout=wait) if wait and not number else handed.get_nowait()
                )
            except queue.Empty:
                return
            places = (
                torch.arange(self.total, self.total + len(pixels), device=self.device) % self.room
            )
            rgba = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
            self.latents[places] = self.encode(rgba).half()
            self.tokens[places] = torch.from_numpy(tokens).to(self.device)
            self.weights[places] = torch.from_numpy(weights).to(self.device)
            self.total += len(pixels)

    def sample(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(latents (count, C, H, W), tokens (count, L)) of scenes drawn by their weights.

        One caption of each.
        """
        sums = self.weights[: min(self.total, self.room)].double().cumsum(0)
        drawn = torch.rand(count, generator=generator, device=self.device, dtype=torch.float64)
        rows = torch.searchsorted(sums, drawn * sums[-1]).clamp(max=len(sums) - 1)
        ways = torch.randint(CAPTIONS_EACH, (count,), generator=generator, device=self.device)
        return self.latents[rows].float(), self.tokens[rows, ways].long()
