"""States that the denoiser reaches itself on the way from noise to a prompt's picture.

Shapes: B states; C, H, W latent channels, rows, columns; L tokens; D text width.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn
from transformers import CLIPTokenizer

from examples.recipes.mini.art import load_subjects, withheld_names
from examples.recipes.mini.captions import article
from examples.recipes.mini.dataset import COMPREHENSIVE, training_world
from examples.recipes.mini.denoiser import sampling_weight
from examples.recipes.mini.latents import to_pixels
from examples.recipes.mini.networks import build_scheduler
from examples.recipes.mini.settings import DEVICE, SEED, STYLES
from examples.recipes.mini.style_reward import StyleReward
from examples.recipes.mini.tokenizer import tokenize
from examples.recipes.mini.vocabulary import short_name
from stickerforge.models.judge.network import DRAWING_FEATURES

# Drawn at once, in so few steps of DDIM: many prompts tell more than many states of one.
PROMPTS, STEPS = 16, (4, 7)
UNSEEN_SHARE = 0.25  # share of the prompts that name subjects it was never shown
GUIDANCE = (1.0, 3.0)  # between these


@dataclass(frozen=True)
class Prompt:
    """A prompt.

    Args:
        style: its index.
        latents: of the drawing that it asks for, (C, H, W); zeros where nobody drew it.
        features: style features of that drawing, (DRAWING_FEATURES,).
    """

    caption: str
    style: int
    latents: Tensor
    features: Tensor


@dataclass(frozen=True)
class State:
    """A state on the way from noise to a picture.

    Args:
        noisy: (C, H, W).
        unconditional: the velocity there without a text, (C, H, W).
        timestep: of the scheduler.
        guidance: that it was drawn with.
        text: hidden states of the prompt, (L, D).
    """

    noisy: Tensor
    unconditional: Tensor
    timestep: int
    guidance: float
    text: Tensor
    prompt: Prompt


class PromptSampler:
    """Prompts for scenes without a ground, and for subjects that were never shown.

    Without a ground, since a style is read from the figure alone.
    """

    def __init__(self, stored: np.ndarray, captions: list[list[str]], reader: StyleReward) -> None:
        self.stored, self.captions, self.reader = stored, captions, reader
        self.scenes = training_world()
        self.rows = [
            row for row, ways in enumerate(captions) if ways[COMPREHENSIVE].endswith(" style")
        ]
        chances = np.array([sampling_weight(captions[row][COMPREHENSIVE]) for row in self.rows])
        self.chances = chances / chances.sum()
        hidden = withheld_names()
        self.strangers = [s.name for s in load_subjects()[0] if not s.kind and s.name not in hidden]

    def sample(self, rng: np.random.Generator) -> Prompt:
        """A random prompt."""
        if rng.random() < UNSEEN_SHARE:
            style = int(rng.integers(len(STYLES)))
            name = article(short_name(str(rng.choice(self.strangers))))
            return Prompt(
                f"{name}, in {STYLES[style]} style",
                style,
                torch.zeros(self.stored.shape[1:]),
                torch.zeros(DRAWING_FEATURES),
            )
        row = self.rows[rng.choice(len(self.rows), p=self.chances)]
        ways = self.captions[row]
        name = ways[COMPREHENSIVE].split(" ")[-2]
        text = ways[rng.choice(COMPREHENSIVE + 1)]
        caption = text if f"{name} style" in text else ways[COMPREHENSIVE]
        features = self.reader.features(to_pixels(self.scenes[row][0][None]))[0]
        return Prompt(
            caption,
            STYLES.index(name),
            torch.from_numpy(self.stored[row].astype(np.float32)),
            features,
        )


@torch.no_grad()
def rollout(
    unet: nn.Module,
    scheduler: DDIMScheduler,
    prompts: list[Prompt],
    text: Tensor,
    empty: Tensor,
    rng: np.random.Generator,
) -> list[State]:
    """Draw prompts from noise, and keep every state on the way, in an order that mixes them."""
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 40)))
    noisy = torch.randn((len(prompts), *prompts[0].latents.shape), generator=generator).to(DEVICE)
    guidance = float(rng.uniform(*GUIDANCE))
    scheduler.set_timesteps(int(rng.integers(*STEPS)))
    results = []
    for timestep in scheduler.timesteps:
        unconditional, conditional = unet(
            noisy.repeat(2, 1, 1, 1), timestep, torch.cat([empty.expand_as(text), text])
        ).sample.chunk(2)
        results += [
            State(noisy[i], unconditional[i], int(timestep), guidance, text[i], each)
            for i, each in enumerate(prompts)
        ]
        noisy = scheduler.step(
            unconditional + guidance * (conditional - unconditional), timestep, noisy
        ).prev_sample
    return [results[i] for i in rng.permutation(len(results))]


def state_batches(
    unet: nn.Module,
    text: nn.Module,
    prompts: PromptSampler,
    words: CLIPTokenizer,
    batch: int,
    worker: int,
    start: int,
) -> Iterator[list[State]]:
    """Yield the states of each step; after those of PROMPTS prompts others are drawn."""
    scheduler = build_scheduler()
    with torch.no_grad():
        empty = encode_captions(text, words, [""])
    for round_ in range(start, 1 << 40):
        rng = np.random.default_rng((SEED, 11, worker, round_))
        batch_prompts = [prompts.sample(rng) for _ in range(PROMPTS)]
        with torch.no_grad():
            texts = encode_captions(text, words, [each.caption for each in batch_prompts])
        rollout_states = rollout(unet, scheduler, batch_prompts, texts, empty, rng)
        yield from (
            rollout_states[place : place + batch]
            for place in range(0, len(rollout_states) - batch + 1, batch)
        )


def encode_captions(text: nn.Module, words: CLIPTokenizer, captions: list[str]) -> Tensor:
    """Hidden states of captions, (B, L, D)."""
    return text(tokenize(words, captions)).last_hidden_state  # type: ignore[no-any-return]
