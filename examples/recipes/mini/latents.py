"""Latents of the training scenes, and their captions, on disk.

Shapes: B pictures; C, H, W latent channels, rows, columns.
"""

import json
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from examples.recipes.mini.autoencoder import CHECKPOINT as AUTOENCODER
from examples.recipes.mini.autoencoder import build_autoencoder, standardize_latents
from examples.recipes.mini.checkpoint import load_checkpoint, save_checkpoint
from examples.recipes.mini.dataset import (
    CAPTION_DROPOUT,
    VARIANT_WEIGHTS,
    caption_variants,
    training_world,
)
from examples.recipes.mini.dataset import SEED as SCENE_SEED
from examples.recipes.mini.settings import DEVICE, LATENT_CHANNELS, PIXELS, RUN
from examples.recipes.mini.tokenizer import train_tokenizer
from examples.recipes.mini.world import World

LATENTS = RUN / "latents.npy"
CAPTIONS = RUN / "captions.json"
TOKENIZER = RUN / "tokenizer"
STANDARD = RUN / "autoencoder_standard.safetensors"
ENCODE_BATCH = 64  # scenes that are encoded at once


def to_pixels(rgba: np.ndarray) -> Tensor:
    """Premultiplied uint8 (B, H, W, 4) as pixels in [-1, 1], (B, 4, H, W)."""
    return torch.from_numpy(rgba).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def load_standard_autoencoder(scenes: World) -> AutoencoderKL:
    """The trained autoencoder, its latents brought to mean 0 and deviation 1.

    Written once, read afterwards.
    """
    autoencoder = build_autoencoder().eval()
    if STANDARD.exists():
        load_checkpoint(STANDARD, {"mean": autoencoder})
        return autoencoder.to(DEVICE)
    load_checkpoint(AUTOENCODER, {"mean": autoencoder})
    rows = [
        autoencoder.encode(to_pixels(scenes[index][0][None])).latent_dist.mean
        for index in range(2000)
    ]
    latents = torch.cat(rows).transpose(0, 1).flatten(1)
    standardize_latents(autoencoder, latents.mean(1), latents.std(1))
    save_checkpoint(STANDARD, {"mean": autoencoder}, torch.optim.SGD(autoencoder.parameters()), 0)
    return autoencoder.to(DEVICE)


@torch.no_grad()
def write_latents(count: int) -> None:
    """Draw `count` scenes and encode them once; an interrupted call is continued.

    Writes latents.npy, float16 (N, C, H, W), and captions.json with all captions of each scene.
    """
    if CAPTIONS.exists() and len(json.loads(CAPTIONS.read_text())) >= count:
        return
    RUN.mkdir(parents=True, exist_ok=True)
    scenes, side, partial = training_world(), PIXELS // 8, CAPTIONS.with_suffix(".partial")
    autoencoder, shape = load_standard_autoencoder(scenes), (count, LATENT_CHANNELS, side, side)
    captions = (
        json.loads(partial.read_text()) if partial.exists() and stored_shape() == shape else []
    )
    stored = np.lib.format.open_memmap(LATENTS, "r+" if captions else "w+", np.float16, shape)
    for start in range(len(captions), count, ENCODE_BATCH):
        block = [scenes[index] for index in range(start, min(start + ENCODE_BATCH, count))]
        posterior = autoencoder.encode(
            to_pixels(np.stack([rgba for rgba, _ in block])).to(DEVICE)
        ).latent_dist
        stored[start : start + len(block)] = posterior.mean.half().cpu().numpy()
        captions += [
            caption_variants(truth, np.random.default_rng((SCENE_SEED, start + i, 1)))
            for i, (_, truth) in enumerate(block)
        ]
        if start // ENCODE_BATCH % 32 == 31:
            stored.flush()
            write_json(partial, captions)
    stored.flush()
    if not TOKENIZER.exists():  # an encoder in training knows its words by number
        train_tokenizer(chain.from_iterable(captions)).save_pretrained(TOKENIZER)
    write_json(CAPTIONS, captions)
    partial.unlink(missing_ok=True)
    spread = stored[:4096].astype(np.float32)
    print(
        f"{count} latents, mean {spread.mean():.3f}, standard deviation {spread.std():.3f}",
        flush=True,
    )


def stored_shape() -> tuple[int, ...]:
    """The shape of latents.npy; () where there is none."""
    return np.load(LATENTS, mmap_mode="r").shape if LATENTS.exists() else ()


def write_json(path: Path, captions: list[list[str]]) -> None:
    """Captions as a file that appears whole or not at all."""
    fresh = path.with_suffix(".fresh")
    fresh.write_text(json.dumps(captions, ensure_ascii=False))
    fresh.rename(path)


def sample_scenes(
    stored: np.ndarray,
    captions: list[list[str]],
    chances: np.ndarray,
    batch: int,
    rng: np.random.Generator,
) -> tuple[Tensor, list[str]]:
    """(latents (B, C, H, W), captions) of random scenes; some captions are empty.

    Args:
        chances: of each scene, (N,), sum 1.
    """
    rows = rng.choice(len(stored), batch, replace=False, p=chances)
    texts = [
        captions[row][way]
        for row, way in zip(
            rows, rng.choice(len(VARIANT_WEIGHTS), batch, p=VARIANT_WEIGHTS), strict=True
        )
    ]
    texts = ["" if rng.random() < CAPTION_DROPOUT else caption for caption in texts]
    return torch.from_numpy(stored[rows].astype(np.float32)).to(DEVICE), texts
