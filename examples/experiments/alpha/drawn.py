"""(d) What the opaque model draws: native alpha beside keying, where no truth is known.

The prompts are those that somebody typed who knew no caption (`bench/user_prompts.txt`), but for
those that ask for a ground. Each picture's latents are decoded in every way.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from examples.experiments.alpha.cutouts import cut_out, decode
from examples.experiments.alpha.keying import Keying
from examples.experiments.alpha.measures import difference, measure_alone, summary
from examples.experiments.alpha.reconstruction import interval_text, keyed_arm
from examples.experiments.bench.user_prompts import read_prompts
from stickerforge.config.schema import SamplingConfig
from stickerforge.generation.plan import sampling_settings
from stickerforge.generation.reduced_prompt import reduce_prompt
from stickerforge.generation.sampler import (
    Sample,
    encode_guidance,
    guidance_params,
    make_scheduler,
    prompt_encoder,
    sampling_params,
)
from stickerforge.models.registry import find_model, load_model
from stickerforge.models.things import read_things
from stickerforge.runtime.seeds import generator
from stickerforge.sampling.denoise import denoise
from stickerforge.stickers.alpha import Rgba

PROMPTS = 60
SEED = 1
MEASURES = ("holes", "border_touch", "undecided", "haze", "halo", "stray", "coverage")
LOWER = MEASURES[:-1]  # is better


def typed_prompts(count: int = PROMPTS) -> list[str]:
    """Prompts that people type, without those that ask for a ground."""
    return [text for text in read_prompts("dev") if "background" not in text][:count]


@torch.inference_mode()
def draw_latents(folder: Path, prompts: Sequence[str]) -> Tensor:
    """One picture of each prompt as `generate` draws it, before it is decoded, (N, c, h, w)."""
    model = load_model(find_model(str(folder)), torch.device("cpu"), torch.float32)
    things = read_things(model.card)
    settings = sampling_settings(SamplingConfig(), model.card)
    sampling, guidance = sampling_params(settings, model.pixels), guidance_params(settings)
    encoder, results = prompt_encoder(model), []
    for prompt in prompts:
        text = (reduce_prompt(prompt, things).text if things else "") or prompt
        noise = torch.randn(
            (1, *model.latent_shape(sampling.pixels)), generator=generator(SEED, "latents")
        )
        results.append(
            denoise(
                model.predict,
                make_scheduler(model, sampling),
                noise,
                encode_guidance(model, encoder, [Sample(text, SEED, "", text)], guidance),
                generators=[generator(SEED, "steps")],
                on_step=lambda: None,
            )
        )
    return torch.cat(results)


def drawn_cutouts(
    latents: Tensor, vae: AutoencoderKL, native: Mapping[str, AutoencoderKL], keying: Keying
) -> list[tuple[Rgba, dict[str, Rgba]]]:
    """(opaque picture, sticker by arm) of all latents."""
    opaque = decode(vae, latents)
    alphas = {name: decode(each, latents) for name, each in native.items()}
    return [
        (rgb, cut_out(rgb, {name: alphas[name][row] for name in alphas}, keying))
        for row, rgb in enumerate(opaque)
    ]


def measure_drawn(
    cutouts: Sequence[tuple[Rgba, dict[str, Rgba]]], prompts: Sequence[str]
) -> dict[str, Any]:
    """The record of part (d)."""
    arms = list(cutouts[0][1])
    rows = {arm: [measure_alone(stickers[arm]) for _, stickers in cutouts] for arm in arms}
    means = {
        arm: {name: summary([row[name] for row in own], prompts) for name in MEASURES}
        for arm, own in rows.items()
    }
    gains = {
        arm: {
            name: difference(
                [row[name] for row in rows[keyed_arm(arm)]],
                [row[name] for row in rows[arm]],
                prompts,
            )
            for name in LOWER
        }
        for arm in arms
        if arm != keyed_arm(arm)
    }
    return {"prompts": list(prompts), "arms": means, "gains": gains}


def table(record: Mapping[str, Any]) -> list[str]:
    """Lines of Markdown: measures by arm, then how much lower than keying's they are."""
    lines = [f"| arm | {' | '.join(MEASURES)} |", "| --- |" + " --- |" * len(MEASURES)]
    for arm, own in record["arms"].items():
        cells = [
            interval_text(own[name]["mean"], own[name]["interval"], 1 if name == "halo" else 4)
            for name in MEASURES
        ]
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    lines += ["", f"| lower than keying by | {' | '.join(LOWER)} |"]
    lines.append("| --- |" + " --- |" * len(LOWER))
    for arm, own in record["gains"].items():
        cells = [
            interval_text(
                own[name]["change"],
                (own[name]["low"], own[name]["high"]),
                1 if name == "halo" else 4,
            )
            for name in LOWER
        ]
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    return lines
