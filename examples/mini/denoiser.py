"""Train the denoiser and its text encoder, on latents of the autoencoder.

python examples/mini/denoiser.py [--steps 25000]      resumes from runs/v2/denoiser.safetensors

Velocity prediction with zero terminal signal-to-noise (Lin et al. 2024, arXiv:2305.08891): a sticker is
mostly empty ground, and with any signal left at the last timestep the ground comes out tinted.
Shapes: B pictures; C, H, W latent channels, rows, columns; L tokens; D text width.
"""

import argparse
import json
import re
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from autoencoder import CHECKPOINT as AUTOENCODER
from autoencoder import build as build_autoencoder
from autoencoder import standardised
from lessons import COMPREHENSIVE, WAYS, lessons, told
from lessons import SEED as LESSONS
from settings import DEVICE, LATENT_CHANNELS, PIXELS, RUN, SEED
from training import Keeper, Muon, average, averaged, descend, load, plateau, save
from words import TEXT_LENGTH, tokenizer
from world import World

CHECKPOINT, LATENTS, CAPTIONS, TOKENIZER = (
    RUN / "denoiser.safetensors",
    RUN / "latents.npy",
    RUN / "captions.json",
    RUN / "tokenizer",
)
STANDARD = RUN / "autoencoder_standard.safetensors"
TEXT_WIDTH = 192  # a multiple of 64, which image prompts need
CAPTION_DROPOUT = 0.1
# How much likelier scenes are drawn than their share: everything is made of plain single subjects, and pairs are learned last.
SINGLES, PAIRS = 5.0, 1.5
RELATED = r" (to the (left|right) of|above|below|behind|in front of|inside|holding) "
ELSEWHERE = rf" (wearing|in a space suit|at the|in the middle) |{RELATED}"
TOGETHER = 64  # scenes that are encoded at once


def build_scheduler() -> DDIMScheduler:
    """Stable Diffusion's noise schedule, rescaled to end in pure noise."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        steps_offset=1,
        set_alpha_to_one=True,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
    )


def build_unet() -> UNet2DConditionModel:
    """Few channels at 16 x 16, where a CPU is slow; attention from 8 x 8 down. 9.3 million weights.

    The pooled text joins the timestep and so scales and shifts every residual block. With attention to the
    words alone, nothing at 16 x 16 knew the style, and after 265,000 pictures half of the styles were wrong.
    """
    return UNet2DConditionModel(
        sample_size=PIXELS // 8,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(64, 128, 160),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=(2, 4, 5),  # in this class: the number of heads, each 32 wide
        norm_num_groups=32,
        addition_embed_type="text",
        addition_embed_type_num_heads=TEXT_WIDTH // 64,
        resnet_time_scale_shift="scale_shift",
    )


def build_text_encoder(words: CLIPTokenizer) -> CLIPTextModel:
    """A CLIP text encoder of three layers over our own tokens."""
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=TEXT_WIDTH,
        intermediate_size=4 * TEXT_WIDTH,
        num_hidden_layers=3,
        num_attention_heads=TEXT_WIDTH // 64,
        max_position_embeddings=TEXT_LENGTH,
        hidden_act="quick_gelu",
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    return CLIPTextModel(config)


def pixels_of(rgba: np.ndarray) -> Tensor:
    """Premultiplied uint8 (B, H, W, 4) as pixels in [-1, 1], (B, 4, H, W)."""
    return torch.from_numpy(rgba).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def standard_autoencoder(scenes: World) -> AutoencoderKL:
    """The trained autoencoder, its latents brought to mean 0 and deviation 1; written once, read afterwards."""
    autoencoder = build_autoencoder().eval()
    if STANDARD.exists():
        load(STANDARD, {"mean": autoencoder})
        return autoencoder.to(DEVICE)
    load(AUTOENCODER, {"mean": autoencoder})
    rows = [
        autoencoder.encode(pixels_of(scenes[index][0][None])).latent_dist.mean
        for index in range(2000)
    ]
    latents = torch.cat(rows).transpose(0, 1).flatten(1)
    standardised(autoencoder, latents.mean(1), latents.std(1))
    save(STANDARD, {"mean": autoencoder}, torch.optim.SGD(autoencoder.parameters()), 0)
    return autoencoder.to(DEVICE)


@torch.no_grad()
def write_latents(count: int) -> None:
    """Draw `count` scenes and encode them once: latents.npy (float16), and captions.json with every way of telling each.

    What an interrupted call has written is kept.
    """
    if CAPTIONS.exists() and len(json.loads(CAPTIONS.read_text())) >= count:
        return
    RUN.mkdir(parents=True, exist_ok=True)
    scenes, side, partial = lessons(), PIXELS // 8, CAPTIONS.with_suffix(".partial")
    autoencoder, shape = standard_autoencoder(scenes), (count, LATENT_CHANNELS, side, side)
    captions = (
        json.loads(partial.read_text()) if partial.exists() and stored_shape() == shape else []
    )
    stored = np.lib.format.open_memmap(LATENTS, "r+" if captions else "w+", np.float16, shape)
    for start in range(len(captions), count, TOGETHER):
        drawn = [scenes[index] for index in range(start, min(start + TOGETHER, count))]
        posterior = autoencoder.encode(
            pixels_of(np.stack([rgba for rgba, _ in drawn])).to(DEVICE)
        ).latent_dist
        stored[start : start + len(drawn)] = posterior.mean.half().cpu().numpy()
        captions += [
            told(truth, np.random.default_rng((LESSONS, start + i, 1)))
            for i, (_, truth) in enumerate(drawn)
        ]
        if start // TOGETHER % 32 == 31:
            stored.flush()
            written(partial, captions)
    stored.flush()
    if not TOKENIZER.exists():  # an encoder in training knows its words by number
        tokenizer(chain.from_iterable(captions)).save_pretrained(TOKENIZER)
    written(CAPTIONS, captions)
    partial.unlink(missing_ok=True)
    spread = stored[:4096].astype(np.float32)
    print(
        f"{count} latents, mean {spread.mean():.3f}, standard deviation {spread.std():.3f}",
        flush=True,
    )


def stored_shape() -> tuple[int, ...]:
    """Of the latents that there are."""
    return np.load(LATENTS, mmap_mode="r").shape if LATENTS.exists() else ()


def written(path: Path, captions: list[list[str]]) -> None:
    """Captions as a file that appears whole or not at all."""
    fresh = path.with_suffix(".fresh")
    fresh.write_text(json.dumps(captions, ensure_ascii=False))
    fresh.rename(path)


@torch.no_grad()
def importance(autoencoder: AutoencoderKL, latents: Tensor, noise: float = 0.3) -> Tensor:
    """How much pictures change with each channel of their latents (B, C, H, W), mean 1, (C, 1, 1).

    All channels have been brought to one deviation, also those that hold little but fine noise. Unweighted, half of the loss was
    about four channels that a sixth of the picture depends on.
    """
    generator, decoded = torch.Generator().manual_seed(SEED), autoencoder.decode(latents).sample
    changes = []
    for channel in range(latents.shape[1]):
        moved = latents.clone()
        moved[:, channel] += noise * torch.randn(moved[:, channel].shape, generator=generator).to(
            moved.device
        )
        changes.append((autoencoder.decode(moved).sample - decoded).square().mean())
    found = torch.stack(changes)
    return (found / found.mean())[:, None, None]


def plain_single(caption: str) -> bool:
    """Whether a comprehensive caption is about one thing at its usual size, without ground or accessory."""
    many = caption.startswith(("two ", "three ", "four ", "five "))
    return (
        caption.count(",") == 1
        and not many
        and " small " not in caption
        and not re.search(ELSEWHERE, f"{caption.replace(',', ' ')} ")
    )


def worth(caption: str) -> float:
    """How much likelier than its share the scene of a comprehensive caption is drawn."""
    return SINGLES if plain_single(caption) else PAIRS if re.search(RELATED, caption) else 1.0


def velocity_loss(
    unet: nn.Module,
    text: nn.Module,
    scheduler: DDIMScheduler,
    latents: Tensor,
    tokens: Tensor,
    step: int,
    weight: Tensor,
) -> Tensor:
    """Mean squared error of the velocity alpha * noise - sigma * latents at one timestep per picture.

    Args:
        latents: (B, C, H, W), mean 0 and deviation 1.
        tokens: (B, L).
        step: decides the noise and the timesteps.
        weight: of the channels, (C, 1, 1).
    """
    generator = torch.Generator().manual_seed(SEED + step)
    noise = torch.randn(latents.shape, generator=generator).to(latents.device)
    # One timestep from each of B equally likely intervals: less variance than independent draws. Noisy ones are
    # likelier (half lie above 750), since what is drawn, and in which style, is decided there.
    strata = (torch.arange(len(latents)) + torch.rand(len(latents), generator=generator)) / len(
        latents
    )
    timesteps = ((1 - (1 - strata).square()) * 1000).long().clamp(max=999).to(latents.device)
    noisy = scheduler.add_noise(latents, noise, timesteps)
    target = scheduler.get_velocity(latents, noise, timesteps)
    velocity = unet(noisy, timesteps, text(tokens).last_hidden_state).sample
    return ((velocity - target).square() * weight).mean()


def train(steps: int, batch: int, minutes: float, peak: float, scenes: int) -> None:
    """Run, or go on, until `steps` are done; a checkpoint every `minutes`."""
    torch.manual_seed(SEED)
    write_latents(scenes)
    stored, captions = np.load(LATENTS, mmap_mode="r"), json.loads(CAPTIONS.read_text())
    words = CLIPTokenizer.from_pretrained(TOKENIZER)
    flat = [*chain.from_iterable(captions), ""]
    ids = words(
        flat, padding="max_length", truncation=True, max_length=TEXT_LENGTH, return_tensors="pt"
    ).input_ids
    chances = np.array([worth(ways[COMPREHENSIVE]) for ways in captions])
    chances /= chances.sum()
    weight = importance(
        standard_autoencoder(lessons()), torch.from_numpy(stored[:64].astype(np.float32)).to(DEVICE)
    )
    scheduler = build_scheduler()
    model = nn.ModuleDict({"unet": build_unet(), "text": build_text_encoder(words)}).to(DEVICE)
    model["unet"].to(memory_format=torch.channels_last)  # 7 % faster on a CPU
    mean = averaged(model)
    optimizer = Muon(*by_kind(model), lr=peak)
    modules = {"model": model, "mean": mean}
    start = load(CHECKPOINT, modules, optimizer) if CHECKPOINT.exists() else 0
    keeper = Keeper(CHECKPOINT, modules, optimizer, steps, minutes)
    for step in range(start, steps):
        for group in optimizer.param_groups:
            group["lr"] = plateau(step, steps, peak)
        rng = np.random.default_rng((SEED, step))
        rows = np.sort(rng.choice(len(stored), batch, replace=False, p=chances))
        latents = torch.from_numpy(stored[rows].astype(np.float32))
        rows = rows * len(WAYS) + rng.choice(len(WAYS), batch, p=WAYS)
        rows[rng.random(batch) < CAPTION_DROPOUT] = len(flat) - 1  # the empty caption
        order = rng.permutation(batch)
        tokens = ids[rows[order]].to(
            DEVICE
        )  # all 77: the padding is where the encoder can lay out a picture
        loss = velocity_loss(
            model["unet"], model["text"], scheduler, latents[order].to(DEVICE), tokens, step, weight
        )
        descend(loss, model, optimizer)
        average(mean, model, step, 0.999)
        keeper.after(step, {"loss": float(loss.detach())})


def by_kind(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(inner matrices, what AdamW does better: embeddings, first and last layers, norms, biases)."""
    outer = ("token_embedding", "position_embedding", "conv_in", "conv_out")
    inner = [
        p
        for name, p in model.named_parameters()
        if p.ndim > 1 and not any(part in name for part in outer)
    ]
    chosen = set(map(id, inner))
    return inner, [p for p in model.parameters() if id(p) not in chosen]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=25_000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=6e-4)
    parser.add_argument("--scenes", type=int, default=60_000)
    parser.add_argument("--minutes", type=float, default=4, help="between checkpoints")
    args = parser.parse_args()
    train(args.steps, args.batch, args.minutes, args.rate, args.scenes)
