"""Train the decoder of three channels from nothing, on opaque pictures alone.

python -m examples.experiments.alpha.run decoder OUT [--steps 3000]

Half of the pictures lie on white, as those of the opaque model do, the others on every other kind
of ground. Held-out subjects are never shown. The latents of all pictures are computed once. Goes on
from its last checkpoint.

Shapes: N pictures; B crops; H, W rows and columns.
"""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional as F

from examples.experiments.alpha.art_pictures import SEED, Drawing, all_drawings
from examples.experiments.alpha.opaque_model import opaque_autoencoder, read_autoencoder
from examples.recipes.mini.anchors import freeze_anchors
from examples.recipes.mini.autoencoder import CROP, reconstruction_loss
from examples.recipes.mini.backgrounds import ground_canvas, random_ground
from examples.recipes.mini.checkpoint import Checkpointer, load_checkpoint
from examples.recipes.mini.decoder import trainable_parts
from examples.recipes.mini.optim import clip_and_step, cosine_lr, ema_copy, update_ema
from examples.recipes.mini.settings import PIXELS
from examples.recipes.mini.sprites import paste, resize

PICTURES = 5000
WHITE = 0.5  # share of the pictures that lie on white
SECOND = 0.25  # share of the pictures that show two drawings
FULL_SIZE_SHARE = 0.1  # share of the steps, the last ones, that see whole pictures
CELL = 8  # pixels of a latent
ENCODE_BATCH = 20


def opaque_picture(drawings: list[Drawing], rng: np.random.Generator) -> np.ndarray:
    """One or two drawings on a ground, uint8 (PIXELS, PIXELS, 4)."""
    if rng.random() < WHITE:
        canvas = np.full((PIXELS, PIXELS, 4), 255, np.uint8)
    else:
        canvas = ground_canvas(random_ground(rng, clear=0.0))
    for _ in range(1 + (rng.random() < SECOND)):
        sprite = drawings[rng.integers(len(drawings))].sprite()
        sprite = sprite[:, ::-1] if rng.random() < 0.5 else sprite
        side = round(PIXELS * rng.uniform(0.45, 0.95))
        middle = PIXELS / 2 + rng.uniform(-0.5, 0.5, 2) * (PIXELS - side)
        paste(canvas, resize(np.ascontiguousarray(sprite), side), *middle)
    return canvas


@torch.no_grad()
def write_bank(path: Path, vae: AutoencoderKL, number: int) -> None:
    """Pictures (N, H, W, 3) in uint8 and their latents (N, C, H / 8, W / 8) in float16, once."""
    if path.exists():
        return
    drawings, rng = all_drawings()[0], np.random.default_rng((SEED, 1))
    pictures = np.stack([opaque_picture(drawings, rng)[..., :3] for _ in range(number)])
    latents = [
        vae.encode(to_pixels(pictures[start : start + ENCODE_BATCH])).latent_dist.mean.half()
        for start in range(0, number, ENCODE_BATCH)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, pictures=pictures, latents=torch.cat(latents).numpy())


def to_pixels(rgb: np.ndarray) -> Tensor:
    """Of uint8 (B, H, W, C), in [-1, 1], (B, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(rgb)).permute(0, 3, 1, 2).float() / 127.5 - 1


def batch_of(
    pictures: np.ndarray, latents: np.ndarray, step: int, size: int, side: int
) -> tuple[Tensor, Tensor]:
    """(latents, pixels) of random squares that begin at the corner of a cell."""
    rng = np.random.default_rng((SEED, 2, step))
    rows = rng.choice(len(pictures), size, replace=False)
    corners = CELL * rng.integers(0, (PIXELS - side) // CELL + 1, (size, 2))
    pixels, cells = [], []
    for row, (top, left) in zip(rows, corners, strict=True):
        pixels.append(pictures[row, top : top + side, left : left + side])
        y, x, width = top // CELL, left // CELL, side // CELL
        cells.append(latents[row, :, y : y + width, x : x + width])
    return torch.from_numpy(np.stack(cells)).float(), to_pixels(np.stack(pixels))


def train_decoder(out: Path, steps: int, batch: int, minutes: float, peak: float) -> None:
    """Run, or go on, until `steps` are done; OUT/decoder.safetensors every `minutes`."""
    torch.manual_seed(SEED)
    vae = opaque_autoencoder(read_autoencoder())
    write_bank(out / "bank.npz", vae, PICTURES)
    with np.load(out / "bank.npz") as bank:
        pictures, latents = bank["pictures"], bank["latents"]
    vae.requires_grad_(False)
    parts: nn.ModuleDict = trainable_parts(vae).requires_grad_(True)
    freeze_anchors(vae)
    mean = ema_copy(parts)
    optimizer = torch.optim.AdamW(parts.parameters(), lr=peak, betas=(0.9, 0.99), weight_decay=0.0)
    modules, path = {"model": parts, "mean": mean}, out / "decoder.safetensors"
    start = load_checkpoint(path, modules, optimizer) if path.exists() else 0
    keeper = Checkpointer(path, modules, optimizer, steps, minutes)
    for step in range(start, steps):
        for group in optimizer.param_groups:
            group["lr"] = cosine_lr(step, steps, peak)
        side = CROP if step < (1 - FULL_SIZE_SHARE) * steps else PIXELS
        cells, pixels = batch_of(pictures, latents, step, batch * CROP**2 // side**2, side)
        decoded = vae.decode(cells).sample
        clip_and_step(reconstruction_loss(decoded, pixels), parts, optimizer)
        update_ema(mean, parts, step, 0.998)
        with torch.no_grad():
            error = decoded - pixels
            cell_error = 127.5 * F.avg_pool2d(error, CELL).abs().mean()
        keeper.after(
            step,
            {
                "absolute error of 255": float(127.5 * error.abs().mean()),
                "of cells": float(cell_error),
            },
        )
