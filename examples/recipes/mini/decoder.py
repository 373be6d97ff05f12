"""Train the decoder further, on latents as the denoiser delivers them.

python -m examples.recipes.mini.decoder [--steps 3000]      after denoiser.py

Resumes from runs/v2/decoder.safetensors. Until here it has seen exact latents only, and answers
small errors with blotches, by which flat drawings look shaded. Now most are drawn by the denoiser
in the steps that `generate` takes: single subjects from pure noise, for of what it has learned it
draws the very scene; everything else from the scene itself, half buried in noise. A few carry white
noise, or are exact. The encoder stays as it is, so the latents that the denoiser learned stay
right.

Shapes: B pictures; C, H, W latent channels, rows, columns.
"""

import argparse
import hashlib
import json
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from transformers import CLIPTokenizer

from examples.recipes.mini.anchors import freeze_anchors
from examples.recipes.mini.autoencoder import ImageMixture, reconstruction_loss
from examples.recipes.mini.checkpoint import Checkpointer, load_checkpoint
from examples.recipes.mini.dataset import COMPREHENSIVE, training_world
from examples.recipes.mini.denoiser import CHECKPOINT as DENOISER
from examples.recipes.mini.denoiser import is_plain_single
from examples.recipes.mini.latents import (
    CAPTIONS,
    ENCODE_BATCH,
    LATENTS,
    STANDARD,
    TOKENIZER,
    load_standard_autoencoder,
    to_pixels,
)
from examples.recipes.mini.networks import build_scheduler, build_text_encoder, build_unet
from examples.recipes.mini.optim import clip_and_step, cosine_lr, ema_copy, update_ema
from examples.recipes.mini.settings import DEVICE, RUN, SEED
from examples.recipes.mini.tokenizer import TEXT_LENGTH

CHECKPOINT = RUN / "decoder.safetensors"
SOURCE = CHECKPOINT.with_suffix(".source")  # digest of what the checkpoint was trained on
SAMPLES = RUN / "drawn.npy"  # latents by the denoiser, of the first scenes
SAMPLE_COUNT, STEPS = 8192, 12  # how many of them, in how many steps of DDIM
GUIDANCE = (1.0, 3.0)  # between these
# Of the steps, what is not a plain single subject is drawn from the scene with this many left at
# most.
MAX_STEPS_LEFT = 7
MAX_DISTANCE = (
    0.3  # latents that are further (mean square) from those of the scene show another drawing
)
MAX_NOISE = 0.35  # largest deviation of the white noise
PHOTOGRAPHS = 1  # of a batch
TEXTURE = 2.0  # weight of texture_loss
DIRECTIONS, SAMPLED_PIXELS = 24, 4096  # directions and pixels that it looks at


class LatentSampler:
    """The trained denoiser, drawing latents."""

    def __init__(self) -> None:
        self.words = CLIPTokenizer.from_pretrained(TOKENIZER)
        self.model = nn.ModuleDict(
            {"unet": build_unet(), "text": build_text_encoder(self.words)}
        ).eval()
        load_checkpoint(DENOISER, {"mean": self.model})
        self.model.to(DEVICE)
        self.scheduler = build_scheduler()
        self.scheduler.set_timesteps(STEPS)

    def read(self, captions: list[str]) -> Tensor:
        """Hidden states of captions, (B, L, D)."""
        tokens = self.words(
            captions,
            padding="max_length",
            truncation=True,
            max_length=TEXT_LENGTH,
            return_tensors="pt",
        ).input_ids
        return self.model["text"](tokens.to(DEVICE)).last_hidden_state

    @torch.no_grad()
    def draw(
        self, latents: Tensor, captions: list[str], noise: Tensor, left: int, guidance: float
    ) -> Tensor:
        """Clean latents (B, C, H, W), drawn from noisy ones by the last `left` steps.

        Nothing is left of them where `left` is STEPS.
        """
        text, empty = self.read(captions), self.read([""]).expand(len(captions), -1, -1)
        timesteps = self.scheduler.timesteps[STEPS - left :]
        noisy = self.scheduler.add_noise(latents, noise, timesteps[:1].expand(len(latents)))
        for timestep in timesteps:
            now = timestep.repeat(2 * len(latents)).to(DEVICE)
            unconditional, conditional = self.model["unet"](
                noisy.repeat(2, 1, 1, 1), now, torch.cat([empty, text])
            ).sample.chunk(2)
            noisy = self.scheduler.step(
                unconditional + guidance * (conditional - unconditional), timestep, noisy
            ).prev_sample
        return noisy


def write_samples(stored: np.ndarray, captions: list[list[str]]) -> None:
    """Have the denoiser draw the first SAMPLE_COUNT scenes into drawn.npy (float16).

    Where it draws something else, the exact latents stay.
    """
    digest_file = SAMPLES.with_suffix(".source")
    if SAMPLES.exists() and digest_file.exists() and digest_file.read_text() == source_digest():
        return
    denoiser, partial = LatentSampler(), SAMPLES.with_suffix(".partial.npy")
    texts = [ways[COMPREHENSIVE] for ways in captions[:SAMPLE_COUNT]]
    alone = np.array([is_plain_single(caption) for caption in texts])
    order = np.argsort(~alone, kind="stable")  # those of a batch share their steps
    samples = np.array(stored[:SAMPLE_COUNT], np.float16)
    kept = 0
    for start in range(0, SAMPLE_COUNT, ENCODE_BATCH):
        rows = order[start : start + ENCODE_BATCH]
        generator = torch.Generator().manual_seed(SEED + start)
        left = (
            STEPS
            if alone[rows].all()
            else int(torch.randint(2, MAX_STEPS_LEFT + 1, (), generator=generator))
        )
        guidance = float(torch.empty(()).uniform_(*GUIDANCE, generator=generator))
        latents = torch.from_numpy(stored[rows].astype(np.float32))
        noise = torch.randn(latents.shape, generator=generator)
        result = denoiser.draw(
            latents.to(DEVICE), [texts[row] for row in rows], noise.to(DEVICE), left, guidance
        ).cpu()
        near = (result - latents).square().mean((1, 2, 3)) < MAX_DISTANCE
        samples[rows[near.numpy()]] = result[near].half().numpy()
        kept += int(near.sum())
        if start // ENCODE_BATCH % 16 == 15:
            print(
                f"{time.strftime('%H:%M:%S')} {start + ENCODE_BATCH} scenes drawn, {kept} kept",
                flush=True,
            )
    np.save(partial, samples)
    digest_file.unlink(missing_ok=True)
    partial.rename(SAMPLES)
    digest_file.write_text(source_digest())


def source_digest(*more: Path) -> str:
    """A digest of what the decoder is trained on: the latents, the denoiser, and how it draws.

    Args:
        more: files that count, too.
    """
    drawing = (SAMPLE_COUNT, STEPS, GUIDANCE, MAX_STEPS_LEFT, MAX_DISTANCE, MAX_NOISE)
    digest = hashlib.sha256(repr(drawing).encode())
    for path in (STANDARD, DENOISER, *more):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def check_source(checkpoint: Path, *more: Path) -> None:
    """Make sure that a checkpoint belongs to these latents and to this denoiser.

    Raises:
        SystemExit: it does not.
    """
    if checkpoint.with_suffix(".source").read_text() != source_digest(*more):
        raise SystemExit(
            f"{checkpoint} was trained on another autoencoder or denoiser: "
            "remove it, and train it again"
        )


def perturb_latents(samples: Tensor, exact: Tensor, step: int) -> Tensor:
    """Latents as they may come, (B, C, H, W).

    One exact, one with white noise, all others as they were drawn.
    """
    generator = torch.Generator().manual_seed(SEED + step)
    result = samples.clone()
    result[0] = exact[0]
    result[1] = exact[1] + MAX_NOISE * float(torch.rand((), generator=generator)) * torch.randn(
        exact[1].shape, generator=generator
    )
    return result


def texture_loss(decoded: Tensor, pixels: Tensor, generator: torch.Generator) -> Tensor:
    """How far colours and steps between neighbours are distributed otherwise than in the pictures,
    wherever they lie.

    The sliced Wasserstein distance (Bonneel et al. 2015) of pixels as (colour, alpha, steps across,
    steps along), of both (B, 4, H, W). An estimate that is a little wrong everywhere is decoded to
    its middle, soft and mottled; this asks for flat areas and hard edges.
    """
    clouds = []
    for planes in (decoded, pixels):
        here = planes[..., :-1, :-1]
        steps = [4 * (planes[..., 1:, :-1] - here).abs(), 4 * (planes[..., :-1, 1:] - here).abs()]
        clouds.append(torch.cat([here, *steps], 1).flatten(2))
    places = torch.randperm(clouds[0].shape[2], generator=generator)[:SAMPLED_PIXELS]
    lines = torch.randn((DIRECTIONS, clouds[0].shape[1]), generator=generator)
    lines = torch.cat([lines / lines.norm(dim=1, keepdim=True), torch.eye(lines.shape[1])]).to(
        decoded.device
    )
    first, second = (
        (lines @ cloud[..., places.to(decoded.device)]).sort(-1).values for cloud in clouds
    )
    return (first - second).abs().mean()


def trainable_parts(autoencoder: AutoencoderKL) -> nn.ModuleDict:
    """What comes after the latents."""
    return nn.ModuleDict(
        {"post_quant_conv": autoencoder.post_quant_conv, "decoder": autoencoder.decoder}
    )


def load_finetuned_autoencoder(autoencoder: AutoencoderKL) -> AutoencoderKL:
    """The standard autoencoder with the decoder that was trained here, where there is one."""
    if CHECKPOINT.exists():
        check_source(CHECKPOINT)
        load_checkpoint(CHECKPOINT, {"mean": trainable_parts(autoencoder)})
    return autoencoder


def train(steps: int, batch: int, minutes: float, peak: float) -> None:
    """Run, or go on, until `steps` are done; a checkpoint every `minutes`."""
    scenes, stored, captions = (
        training_world(),
        np.load(LATENTS, mmap_mode="r"),
        json.loads(CAPTIONS.read_text()),
    )
    write_samples(stored, captions)
    autoencoder, samples, pictures = (
        load_standard_autoencoder(scenes),
        np.load(SAMPLES),
        ImageMixture(),
    )
    autoencoder.requires_grad_(False)
    parts = trainable_parts(autoencoder).requires_grad_(True)
    freeze_anchors(autoencoder)
    mean = ema_copy(parts)
    optimizer = torch.optim.AdamW(parts.parameters(), lr=peak, betas=(0.9, 0.99), weight_decay=0.0)
    modules = {"model": parts, "mean": mean}
    start = 0
    if CHECKPOINT.exists():
        check_source(CHECKPOINT)
        start = load_checkpoint(CHECKPOINT, modules, optimizer)
    SOURCE.write_text(source_digest())
    print(f"from step {start} to {steps}", flush=True)
    keeper = Checkpointer(CHECKPOINT, modules, optimizer, steps, minutes)
    for step in range(start, steps):
        for group in optimizer.param_groups:
            group["lr"] = cosine_lr(step, steps, peak, warmup=50)
        rng = np.random.default_rng((SEED, 7, step))
        rows = rng.choice(len(samples), batch, replace=False)
        pixels = to_pixels(np.stack([scenes[int(row)][0] for row in rows])).to(DEVICE)
        latents = perturb_latents(
            *(torch.from_numpy(kind[rows].astype(np.float32)) for kind in (samples, stored)), step
        ).to(DEVICE)
        photos = to_pixels(np.stack([pictures.photograph(rng) for _ in range(PHOTOGRAPHS)])).to(
            DEVICE
        )
        with torch.no_grad():
            photo_latents = autoencoder.encode(photos).latent_dist.mean
        inputs = torch.cat([latents, photo_latents])
        decoded, targets = autoencoder.decode(inputs).sample, torch.cat([pixels, photos])
        places = torch.Generator().manual_seed(SEED + step)
        loss = reconstruction_loss(decoded, targets) + TEXTURE * texture_loss(
            decoded, targets, places
        )
        clip_and_step(loss, parts, optimizer)
        update_ema(mean, parts, step, 0.998)
        keeper.after(step, {"absolute error": float((decoded.detach() - targets).abs().mean() / 2)})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--minutes", type=float, default=3, help="between checkpoints")
    args = parser.parse_args()
    train(args.steps, args.batch, args.minutes, args.rate)
