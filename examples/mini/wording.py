"""Teach sticker-mini that words which mean nothing change nothing: version 2.1 from version 2.

python examples/mini/wording.py [--steps 400]      after restyled.py, or package.py --unpack; resumes from runs/v2/wording.safetensors

A prompt as people type it ("can i get a cute dog pls") is to be answered as the same model, before this training, answers the plain one ("a
dog"): the target is its own velocity, not the drawing, which would undo the reward for style. So nothing has to be drawn, and
combinations that are withheld can be worded, too: their states are pictures of its own. Plain captions of all kinds keep their answers.
Shapes: B pictures; C, H, W latent channels, rows, columns; L tokens.
"""

import argparse
import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import CLIPTokenizer

from bank import read_bank, write_bank
from decoder import check_source, source
from denoiser import (
    CAPTION_DROPOUT,
    TOKENIZER,
    build_scheduler,
    build_text_encoder,
    build_unet,
    by_kind,
    importance,
    standard_autoencoder,
)
from denoiser import CHECKPOINT as DENOISER
from lessons import CLEAR, SHARES, WAYS, lessons, told
from restyled import CHECKPOINT as RESTYLED
from restyled import TAKEN as RESTYLED_TAKEN
from reward import CHECKPOINT as REWARD
from reward import TAKEN as REWARD_TAKEN
from reward import falling
from settings import DEVICE, LATENT_CHANNELS, PIXELS, RUN, SEED
from training import Keeper, Muon, average, averaged, descend, load
from voices import voiced
from words import tokens
from world import Truth, World, combinations, withheld, world

CHECKPOINT, SCENES, OWN = (
    RUN / "wording.safetensors",
    RUN / "wording_scenes",
    RUN / "wording_own.npy",
)
SEED_SCENES = 23  # other scenes than lessons.py
COUNT, OWN_COUNT = 12_000, 768
OWN_SHARE = 0.15  # of a batch: pictures of its own, of combinations that it never saw
PLAIN = 0.3  # share of captions that stay as they are, in all the ways of lessons.py
STEPS, GUIDANCE, TOGETHER = 12, 2.0, 64  # as it draws its own pictures


def before() -> tuple[Path, ...]:
    """The trainings between the denoiser and this one, where they were run; what ships holds them already."""
    return tuple(path for path in (REWARD, RESTYLED) if path.exists())


def scenes() -> World:
    """Fresh scenes of what it has learned."""
    return world("generator", learned_only=True, seed=SEED_SCENES, shares=SHARES, clear=CLEAR)


def strangers(count: int) -> list[Truth]:
    """Scenes that show a combination withheld from it; nothing of them is drawn."""
    everything = world("all", learned_only=True, seed=SEED_SCENES, shares=SHARES, clear=CLEAR)
    found: list[Truth] = []
    for index in range(1 << 40):
        made = everything.truth(np.random.default_rng((SEED_SCENES, 1, index)))
        if made and any(withheld("generator", *names) for names in combinations(made)):
            found.append(made)
        if len(found) == count:
            return found
    raise AssertionError


def begun() -> nn.ModuleDict:
    """The denoiser and its text encoder before this training: what `package.py` would have shipped without it."""
    words = CLIPTokenizer.from_pretrained(TOKENIZER)
    model = nn.ModuleDict({"unet": build_unet(), "text": build_text_encoder(words)})
    load(DENOISER, {"mean": model})
    for path, taken, part, before in (
        (REWARD, REWARD_TAKEN, model["unet"], ()),
        (RESTYLED, RESTYLED_TAKEN, model, (REWARD,)),
    ):
        if path.exists():
            check_source(path, *before)
            further = copy.deepcopy(part)
            load(path, {"mean": further})
            torch._foreach_lerp_(
                [p.data for p in part.parameters()], [p.data for p in further.parameters()], taken
            )
    return model


@torch.no_grad()
def drawn_by(model: nn.ModuleDict, words: CLIPTokenizer, captions: Sequence[str]) -> Tensor:
    """Latents (B, C, H, W) that the model draws of captions, as `generate` does it."""
    scheduler, side, found = build_scheduler(), PIXELS // 8, []
    empty = model["text"](tokens(words, [""])).last_hidden_state
    for start in range(0, len(captions), TOGETHER):
        text = model["text"](
            tokens(words, list(captions[start : start + TOGETHER]))
        ).last_hidden_state
        shape = (len(text), LATENT_CHANNELS, side, side)
        noisy = torch.randn(shape, generator=torch.Generator().manual_seed(SEED + start)).to(DEVICE)
        scheduler.set_timesteps(STEPS)
        for timestep in scheduler.timesteps:
            without, with_text = model["unet"](
                noisy.repeat(2, 1, 1, 1), timestep, torch.cat([empty.expand_as(text), text])
            ).sample.chunk(2)
            noisy = scheduler.step(
                without + GUIDANCE * (with_text - without), timestep, noisy
            ).prev_sample
        found.append(noisy.cpu())
    return torch.cat(found)


def said(truth: Truth, rng: np.random.Generator) -> tuple[str, str]:
    """(what the teacher is told, what the student is told)."""
    drawn = rng.random()
    if drawn < CAPTION_DROPOUT:
        return "", ""
    if drawn < CAPTION_DROPOUT + PLAIN:
        plain = told(truth, rng)[rng.choice(len(WAYS), p=WAYS)]
        return plain, plain
    both = voiced(truth, rng)
    return both.plain, both.said


def train(steps: int, batch: int, minutes: float, peak: float) -> None:
    """Run, or go on, until `steps` are done; a checkpoint every `minutes`."""
    words, scheduler = CLIPTokenizer.from_pretrained(TOKENIZER), build_scheduler()
    autoencoder = standard_autoencoder(lessons())
    write_bank(
        SCENES, scenes, COUNT, lambda pixels: autoencoder.encode(pixels).latent_dist.mean, workers=2
    )
    stored, truths = read_bank(SCENES, lessons().subjects)
    teacher, hidden = begun().to(DEVICE).eval().requires_grad_(False), strangers(OWN_COUNT)
    if not OWN.exists():
        np.save(
            OWN,
            drawn_by(
                teacher,
                words,
                [voiced(t, np.random.default_rng(i)).plain for i, t in enumerate(hidden)],
            ).numpy(),
        )
    own = np.load(OWN)
    weight = importance(autoencoder, torch.from_numpy(stored[:64].astype(np.float32)).to(DEVICE))
    model = copy.deepcopy(teacher).requires_grad_(True).train()
    for unet in (teacher["unet"], model["unet"]):
        unet.to(memory_format=torch.channels_last)
    mean = averaged(model)
    optimizer = Muon(*by_kind(model), lr=peak)
    modules, start = {"model": model, "mean": mean}, 0
    if CHECKPOINT.exists():
        check_source(CHECKPOINT, *before())
        start = load(CHECKPOINT, modules, optimizer)
    CHECKPOINT.with_suffix(".source").write_text(source(*before()))
    keeper = Keeper(CHECKPOINT, modules, optimizer, steps, minutes, 25)
    for step in range(start, steps):
        for group in optimizer.param_groups:
            group["lr"] = falling(step, steps, peak)
        rng = np.random.default_rng((SEED, 41, step))
        strange = int(rng.binomial(batch, OWN_SHARE))
        rows, others = (
            rng.choice(len(stored), batch - strange, replace=False),
            rng.choice(len(own), strange, replace=False),
        )
        latents = torch.from_numpy(
            np.concatenate([stored[np.sort(rows)].astype(np.float32), own[others]])
        ).to(DEVICE)
        told_so = [
            said(truth, rng)
            for truth in [*(truths[row] for row in np.sort(rows)), *(hidden[row] for row in others)]
        ]
        order = rng.permutation(batch)  # timesteps follow the places
        latents, told_so = latents[order], [told_so[place] for place in order]
        strata = (torch.arange(batch) + torch.from_numpy(rng.random(batch))) / batch
        timesteps = ((1 - (1 - strata).square()) * 1000).long().clamp(max=999).to(DEVICE)
        noise = torch.from_numpy(rng.standard_normal(latents.shape, dtype=np.float32)).to(DEVICE)
        noisy = scheduler.add_noise(latents, noise, timesteps)
        plain, worded = (tokens(words, [both[side] for both in told_so]) for side in (0, 1))
        with torch.no_grad():
            target = teacher["unet"](
                noisy, timesteps, teacher["text"](plain).last_hidden_state
            ).sample
        velocity = model["unet"](noisy, timesteps, model["text"](worded).last_hidden_state).sample
        loss = ((velocity - target).square() * weight).mean()
        descend(loss, model, optimizer)
        average(mean, model, step, 0.99)
        keeper.after(step, {"loss": float(loss.detach())})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--minutes", type=float, default=4, help="between checkpoints")
    args = parser.parse_args()
    train(args.steps, args.batch, args.minutes, args.rate)
