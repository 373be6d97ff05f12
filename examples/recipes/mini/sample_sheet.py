"""A sheet of samples of the averaged weights, to look at."""

import torch
from PIL import Image
from torch import nn

from examples.recipes.mini.networks import build_scheduler
from examples.recipes.mini.phrase_lists import split_phrases
from examples.recipes.mini.settings import LATENT_CHANNELS, PIXELS, STYLES
from examples.recipes.mini.sprites import to_image
from examples.recipes.mini.tokenizer import TEXT_LENGTH
from examples.recipes.mini.weights import Weights

SHEET_PROMPTS = split_phrases(
    """
    cat/draw a happy corgi/thumbs up/i love you/penguin wearing a scarf/birthday cake/
    two red apples/pizza please/good morning/gimme a dragon in flat style/a dog wearing a crown/
    small blue star
    """
)


@torch.no_grad()
def sample_sheet(
    mean: nn.ModuleDict, initial: Weights, device: str, steps: int = 12, guidance: float = 2.0
) -> Image.Image:
    """What the averaged weights draw of SHEET_PROMPTS, a row for each seed, on grey."""
    scheduler, page = (
        build_scheduler(),
        Image.new("RGB", (len(SHEET_PROMPTS) * PIXELS, 3 * PIXELS), (206, 206, 206)),
    )
    captions = [
        "",
        *(
            f"{prompt}, in {STYLES[i % 4]} style" if i < 2 else prompt
            for i, prompt in enumerate(SHEET_PROMPTS)
        ),
    ]
    tokens = initial.words(
        captions, padding="max_length", truncation=True, max_length=TEXT_LENGTH, return_tensors="pt"
    ).input_ids
    hidden = mean["text"](tokens.to(device)).last_hidden_state
    text, empty = hidden[1:], hidden[:1].expand(len(SHEET_PROMPTS), -1, -1)
    for seed in range(3):
        shape = (len(SHEET_PROMPTS), LATENT_CHANNELS, PIXELS // 8, PIXELS // 8)
        noisy = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(device)
        scheduler.set_timesteps(steps)
        for timestep in scheduler.timesteps:
            unconditional, conditional = mean["unet"](
                noisy.repeat(2, 1, 1, 1), timestep.to(device), torch.cat([empty, text])
            ).sample.chunk(2)
            noisy = scheduler.step(
                unconditional + guidance * (conditional - unconditional), timestep, noisy
            ).prev_sample
        pixels = (
            ((initial.autoencoder.decode(noisy).sample + 1) * 127.5)
            .round()
            .clamp(0, 255)
            .byte()
            .permute(0, 2, 3, 1)
            .cpu()
            .numpy()
        )
        for column, rgba in enumerate(pixels):
            picture = to_image(rgba)
            page.paste(picture, (column * PIXELS, seed * PIXELS), picture)
    return page
