"""Fine-tune the denoiser on states that it reaches itself, with a reward for the style asked for.

python -m examples.recipes.mini.reward [--steps 850] [--workers 2]      after decoder.py

Resumes from runs/v2/reward.safetensors. Until here it has seen real drawings under noise, and half
of the drawings that it never saw come out with the palette and the shading of other styles. Now it
draws prompts as `generate` does, and a step takes some of the states on the way:

- from each it is to reach the drawing that was asked for, where the state is near it;
- the pictures it would make of later ones are read by the second judge: the style that it reads is
  to be the one asked for, and the features (palette, steps between neighbours) those of the
  drawing. Earlier estimates are means of what may become of them, and no style can be asked of a
  mean. Prompts also name subjects that it was never shown, so that a style is learned as such and
  not with a subject.

The gradient goes through one step only (ReFL: Xu et al. 2023, arXiv:2304.05977, Algorithm 1;
DRaFT-1: Clark et al. 2024, arXiv:2309.17400). As many pictures under plain noise keep everything
else. The first judge, which measures, has no part in it.

Shapes: B states; C, H, W latent channels, rows, columns; L tokens; D text width.
"""

import argparse
import json
import os
import time

import numpy as np
import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn
from torch.distributed import all_reduce, destroy_process_group, init_process_group
from torch.multiprocessing.spawn import spawn
from torch.nn import functional as F
from transformers import CLIPTokenizer

from examples.recipes.mini.checkpoint import load_checkpoint, save_checkpoint
from examples.recipes.mini.dataset import COMPREHENSIVE, training_world
from examples.recipes.mini.decoder import check_source, load_finetuned_autoencoder, source_digest
from examples.recipes.mini.denoiser import CHECKPOINT as DENOISER
from examples.recipes.mini.denoiser import channel_weights, sampling_weight, velocity_loss
from examples.recipes.mini.latents import (
    CAPTIONS,
    LATENTS,
    TOKENIZER,
    load_standard_autoencoder,
    sample_scenes,
    write_latents,
)
from examples.recipes.mini.networks import build_scheduler, build_text_encoder, build_unet
from examples.recipes.mini.optim import ema_copy, linear_decay_lr, update_ema
from examples.recipes.mini.rollouts import PromptSampler, State, state_batches
from examples.recipes.mini.settings import DEVICE, RUN, SEED
from examples.recipes.mini.style_reward import StyleReward
from examples.recipes.mini.tokenizer import tokenize

CHECKPOINT = RUN / "reward.safetensors"
# States whose estimate is further (mean square) from the drawing that was asked for show another
# one.
MAX_DISTANCE = 0.5
REWARD, MATCH = 0.1, 0.005  # weights of the style that is read, and of the features
LATE_TIMESTEP = 800  # timesteps below it are read
MAX_DECODED = 6  # states of a step at most: decoding takes longer than denoising
# Of the way from the denoiser to what is trained here: the whole way costs small details, such as
# eyes.
MIX = 0.75


def reward_loss(
    unet: nn.Module,
    decode: nn.Module,
    scheduler: DDIMScheduler,
    reader: StyleReward,
    states: list[State],
    weight: Tensor,
) -> tuple[Tensor, dict[str, float]]:
    """How far estimates from states are from the drawing asked for, in latents and in features,
    and the cross-entropy of their style.

    An estimate is sqrt(a) x - sqrt(1 - a) v at a state x with velocity v and signal a (Salimans &
    Ho 2022, arXiv:2202.00512). The first one is of the prompt alone, the picture that is read has
    guidance.

    Args:
        weight: of the channels, (C, 1, 1).
    """
    noisy, unconditional = (
        torch.stack([s.noisy for s in states]),
        torch.stack([s.unconditional for s in states]),
    )
    latents = torch.stack([s.prompt.latents for s in states]).to(DEVICE)
    timesteps = torch.tensor([s.timestep for s in states], device=DEVICE)
    guidance = torch.tensor([s.guidance for s in states], device=DEVICE)[:, None, None, None]
    velocity = unet(noisy, timesteps, torch.stack([s.text for s in states])).sample
    signal = scheduler.alphas_cumprod.to(DEVICE)[timesteps][:, None, None, None]
    estimate = signal.sqrt() * noisy - (1 - signal).sqrt() * velocity
    guided = signal.sqrt() * noisy - (1 - signal).sqrt() * (
        unconditional + guidance * (velocity - unconditional)
    )
    known = latents.abs().amax((1, 2, 3)) > 0
    near = known & ((estimate.detach() - latents).square().mean((1, 2, 3)) < MAX_DISTANCE)
    reach = ((estimate - latents).square() * weight).mean((1, 2, 3))[near].sum() / len(states)
    late = (timesteps < LATE_TIMESTEP).nonzero()[:MAX_DECODED, 0]
    features = reader.features(decode(guided[late]).sample)
    styles = torch.tensor([states[i].prompt.style for i in late], device=DEVICE)
    logits = reader.logits(features)
    style = F.cross_entropy(logits, styles)
    away = (
        (features - torch.stack([states[i].prompt.features for i in late]).to(DEVICE))
        .square()
        .sum(1)
    )
    match = away[near[late]].sum() / len(late)
    right = (logits.argmax(1) == styles).float()
    metrics = {
        "reach": reach,
        "style": style,
        "match": match,
        "right": right.mean(),
        "near": near.float().mean(),
    }
    return reach + REWARD * style + MATCH * match, {
        name: float(value.detach()) for name, value in metrics.items()
    }


def average_gradients(parameters: list[nn.Parameter], workers: int) -> None:
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
    autoencoder = load_finetuned_autoencoder(
        load_standard_autoencoder(training_world())
    ).requires_grad_(False)
    weight = channel_weights(
        autoencoder, torch.from_numpy(stored[:64].astype(np.float32)).to(DEVICE)
    )
    scheduler, reader = build_scheduler(), StyleReward()
    prompts = PromptSampler(stored, captions, reader)
    model = nn.ModuleDict({"unet": build_unet(), "text": build_text_encoder(words)}).to(DEVICE)
    load_checkpoint(DENOISER, {"mean": model})
    model["text"].requires_grad_(False)
    unet = model["unet"].to(memory_format=torch.channels_last)
    mean = ema_copy(unet)
    parameters = list(unet.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=peak, betas=(0.9, 0.99), weight_decay=0.0)
    modules = {"model": unet, "mean": mean}
    start = 0
    if CHECKPOINT.exists():
        check_source(CHECKPOINT)
        start = load_checkpoint(CHECKPOINT, modules, optimizer)
    CHECKPOINT.with_suffix(".source").write_text(source_digest())
    states = state_batches(unet, model["text"], prompts, words, batch, worker, start)
    chances = np.array([sampling_weight(ways[COMPREHENSIVE]) for ways in captions])
    chances /= chances.sum()
    saved, recent = time.monotonic(), []
    for step in range(start, steps):
        for group in optimizer.param_groups:
            group["lr"] = linear_decay_lr(step, steps, peak)
        loss, metrics = reward_loss(
            unet, autoencoder.decode, scheduler, reader, next(states), weight
        )
        latents, texts = sample_scenes(
            stored, captions, chances, batch, np.random.default_rng((SEED, 12, worker, step))
        )
        plain = velocity_loss(
            unet,
            model["text"],
            scheduler,
            latents,
            tokenize(words, texts),
            step * workers + worker,
            weight,
        )
        optimizer.zero_grad(set_to_none=True)
        (loss + plain).backward()
        average_gradients(parameters, workers)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        update_ema(mean, unet, step, 0.98)
        recent.append(metrics | {"plain": float(plain.detach())})
        if len(recent) == 20 and worker == 0:
            summary = ", ".join(
                f"{key} {np.mean([each[key] for each in recent]):.4f}" for key in recent[0]
            )
            print(f"{time.strftime('%H:%M:%S')} step {step + 1} {summary}", flush=True)
            recent = []
        if worker == 0 and (time.monotonic() - saved > 60 * minutes or step + 1 == steps):
            save_checkpoint(CHECKPOINT, modules, optimizer, step + 1)
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
