"""Distil plain prompts into paraphrases: sticker-mini 2.1 from version 2.

python -m examples.recipes.mini.prompt_distillation [--steps 400]

After style_augmentation.py, or package.py --unpack; resumes from runs/v2/wording.safetensors. A
prompt as people type it ("can i get a cute dog pls") is to be answered as the same model, before
this training, answers the plain one ("a dog"): the target is its own velocity, not the drawing,
which would undo the reward for style. So nothing has to be drawn, and combinations that are
withheld can be paraphrased, too: their states are pictures of its own. Plain captions of all kinds
keep their answers.

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

from examples.recipes.mini.checkpoint import Checkpointer, load_checkpoint
from examples.recipes.mini.dataset import (
    CAPTION_DROPOUT,
    CLEAR,
    SHARES,
    VARIANT_WEIGHTS,
    caption_variants,
    training_world,
)
from examples.recipes.mini.decoder import check_source, source_digest
from examples.recipes.mini.denoiser import CHECKPOINT as DENOISER
from examples.recipes.mini.denoiser import channel_weights
from examples.recipes.mini.latent_cache import read_latent_cache, write_latent_cache
from examples.recipes.mini.latents import TOKENIZER, load_standard_autoencoder
from examples.recipes.mini.networks import (
    build_scheduler,
    build_text_encoder,
    build_unet,
    muon_groups,
)
from examples.recipes.mini.optim import Muon, clip_and_step, ema_copy, linear_decay_lr, update_ema
from examples.recipes.mini.paraphrases import paraphrase
from examples.recipes.mini.reward import CHECKPOINT as REWARD
from examples.recipes.mini.reward import MIX as REWARD_TAKEN
from examples.recipes.mini.scene import Truth, combinations, is_withheld
from examples.recipes.mini.settings import DEVICE, LATENT_CHANNELS, PIXELS, RUN, SEED
from examples.recipes.mini.style_augmentation import CHECKPOINT as RESTYLED
from examples.recipes.mini.style_augmentation import MIX as RESTYLED_TAKEN
from examples.recipes.mini.tokenizer import tokenize
from examples.recipes.mini.world import World, make_world

CHECKPOINT = RUN / "wording.safetensors"
SCENES = RUN / "wording_scenes"
OWN_SAMPLES = RUN / "wording_own.npy"
SCENE_SEED = 23  # other scenes than dataset.py
COUNT, OWN_COUNT = 12_000, 768
OWN_SHARE = 0.15  # of a batch: pictures of its own, of combinations that it never saw
PLAIN_SHARE = 0.3  # share of captions that stay as they are, in all the ways of dataset.py
STEPS, GUIDANCE, SAMPLE_BATCH = 12, 2.0, 64  # as it draws its own pictures


def earlier_checkpoints() -> tuple[Path, ...]:
    """The trainings between the denoiser and this one, where they were run.

    What ships holds them already.
    """
    return tuple(path for path in (REWARD, RESTYLED) if path.exists())


def distillation_world() -> World:
    """Fresh scenes of what it has learned."""
    return make_world("generator", learned_only=True, seed=SCENE_SEED, shares=SHARES, clear=CLEAR)


def withheld_scenes(count: int) -> list[Truth]:
    """Scenes that show a combination withheld from it; nothing of them is drawn."""
    all_scenes = make_world("all", learned_only=True, seed=SCENE_SEED, shares=SHARES, clear=CLEAR)
    results: list[Truth] = []
    for index in range(1 << 40):
        truth = all_scenes.truth(np.random.default_rng((SCENE_SEED, 1, index)))
        if truth and any(is_withheld("generator", *names) for names in combinations(truth)):
            results.append(truth)
        if len(results) == count:
            return results
    raise AssertionError


def assemble_teacher() -> nn.ModuleDict:
    """The denoiser and its text encoder before this training.

    What `package.py` would have shipped without it.
    """
    words = CLIPTokenizer.from_pretrained(TOKENIZER)
    model = nn.ModuleDict({"unet": build_unet(), "text": build_text_encoder(words)})
    load_checkpoint(DENOISER, {"mean": model})
    for path, mix, part, before in (
        (REWARD, REWARD_TAKEN, model["unet"], ()),
        (RESTYLED, RESTYLED_TAKEN, model, (REWARD,)),
    ):
        if path.exists():
            check_source(path, *before)
            further = copy.deepcopy(part)
            load_checkpoint(path, {"mean": further})
            torch._foreach_lerp_(
                [p.data for p in part.parameters()], [p.data for p in further.parameters()], mix
            )
    return model


@torch.no_grad()
def sample_latents(model: nn.ModuleDict, words: CLIPTokenizer, captions: Sequence[str]) -> Tensor:
    """Latents (B, C, H, W) that the model draws of captions, as `generate` does it."""
    scheduler, side, results = build_scheduler(), PIXELS // 8, []
    empty = model["text"](tokenize(words, [""])).last_hidden_state
    for start in range(0, len(captions), SAMPLE_BATCH):
        text = model["text"](
            tokenize(words, list(captions[start : start + SAMPLE_BATCH]))
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
        results.append(noisy.cpu())
    return torch.cat(results)


def caption_pair(truth: Truth, rng: np.random.Generator) -> tuple[str, str]:
    """(caption for the teacher, caption for the student)."""
    chance = rng.random()
    if chance < CAPTION_DROPOUT:
        return "", ""
    if chance < CAPTION_DROPOUT + PLAIN_SHARE:
        plain = caption_variants(truth, rng)[rng.choice(len(VARIANT_WEIGHTS), p=VARIANT_WEIGHTS)]
        return plain, plain
    both = paraphrase(truth, rng)
    return both.plain, both.text


def train(steps: int, batch: int, minutes: float, peak: float) -> None:
    """Run, or go on, until `steps` are done; a checkpoint every `minutes`."""
    words, scheduler = CLIPTokenizer.from_pretrained(TOKENIZER), build_scheduler()
    autoencoder = load_standard_autoencoder(training_world())
    write_latent_cache(
        SCENES,
        distillation_world,
        COUNT,
        lambda pixels: autoencoder.encode(pixels).latent_dist.mean,
        workers=2,
    )
    stored, truths = read_latent_cache(SCENES, training_world().subjects)
    teacher, withheld_truths = (
        assemble_teacher().to(DEVICE).eval().requires_grad_(False),
        withheld_scenes(OWN_COUNT),
    )
    if not OWN_SAMPLES.exists():
        np.save(
            OWN_SAMPLES,
            sample_latents(
                teacher,
                words,
                [
                    paraphrase(t, np.random.default_rng(i)).plain
                    for i, t in enumerate(withheld_truths)
                ],
            ).numpy(),
        )
    own = np.load(OWN_SAMPLES)
    weight = channel_weights(
        autoencoder, torch.from_numpy(stored[:64].astype(np.float32)).to(DEVICE)
    )
    model = copy.deepcopy(teacher).requires_grad_(True).train()
    for unet in (teacher["unet"], model["unet"]):
        unet.to(memory_format=torch.channels_last)
    mean = ema_copy(model)
    optimizer = Muon(*muon_groups(model), lr=peak)
    modules, start = {"model": model, "mean": mean}, 0
    if CHECKPOINT.exists():
        check_source(CHECKPOINT, *earlier_checkpoints())
        start = load_checkpoint(CHECKPOINT, modules, optimizer)
    CHECKPOINT.with_suffix(".source").write_text(source_digest(*earlier_checkpoints()))
    keeper = Checkpointer(CHECKPOINT, modules, optimizer, steps, minutes, 25)
    for step in range(start, steps):
        for group in optimizer.param_groups:
            group["lr"] = linear_decay_lr(step, steps, peak)
        rng = np.random.default_rng((SEED, 41, step))
        strange = int(rng.binomial(batch, OWN_SHARE))
        rows, others = (
            rng.choice(len(stored), batch - strange, replace=False),
            rng.choice(len(own), strange, replace=False),
        )
        latents = torch.from_numpy(
            np.concatenate([stored[np.sort(rows)].astype(np.float32), own[others]])
        ).to(DEVICE)
        texts = [
            caption_pair(truth, rng)
            for truth in [
                *(truths[row] for row in np.sort(rows)),
                *(withheld_truths[row] for row in others),
            ]
        ]
        order = rng.permutation(batch)  # timesteps follow the places
        latents, texts = latents[order], [texts[place] for place in order]
        strata = (torch.arange(batch) + torch.from_numpy(rng.random(batch))) / batch
        timesteps = ((1 - (1 - strata).square()) * 1000).long().clamp(max=999).to(DEVICE)
        noise = torch.from_numpy(rng.standard_normal(latents.shape, dtype=np.float32)).to(DEVICE)
        noisy = scheduler.add_noise(latents, noise, timesteps)
        plain, worded = (tokenize(words, [both[side] for both in texts]) for side in (0, 1))
        with torch.no_grad():
            target = teacher["unet"](
                noisy, timesteps, teacher["text"](plain).last_hidden_state
            ).sample
        velocity = model["unet"](noisy, timesteps, model["text"](worded).last_hidden_state).sample
        loss = ((velocity - target).square() * weight).mean()
        clip_and_step(loss, model, optimizer)
        update_ema(mean, model, step, 0.99)
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
