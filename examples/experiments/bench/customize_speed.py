"""Milliseconds per training step: ours against diffusers' DreamBooth LoRA loop, in the same run.

python -m examples.experiments.bench.customize_speed [--model mini|sd|sdxl] [--width 0.5]
    [--pixels 256] [--batch 4] [--rank 16] [--steps 60] [--folder FOLDER]

plain      ordinary LoRA training, as `customize --objective plain`
live       DCO, the base asked anew in every step
cached     DCO with cached noise (training.cached_noise), once the base was asked about all of it;
           what asking costs is added beside it
token      the same as live with a new word, whose row is trained through the text encoders: what
           `customize --subject` does
diffusers  the peer's step, written out after train_dreambooth_lora.py and its SDXL variant in
           `examples/dreambooth` of diffusers 0.42: encode the pictures, draw noise and timesteps,
           encode the prompts (sd; sdxl keeps them), predict, backward, clip, AdamW, scheduler;
           without checkpoints and logging
bare       the same with latents and prompts kept: what is left of the peer's step where encoding
           is none of its work

sticker-mini comes with its weights; sd and sdxl are built from their published configurations at a
share of their width, with random weights; `--folder` keeps them for the next call. On a GPU all run
as their commands do by default: ours in bfloat16, the peer with bfloat16 weights, its VAE (of
sdxl) and the LoRA in float32, and autocast. All take turns in an order that rotates, so a busy
machine slows all; ratios are of the same round, with the middle 95 % of their median's bootstrap.
`--layers all` trains convolutions of ours as well, and leaves the peer out, which does not.
"""

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import diffusers
import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.optimization import get_scheduler
from diffusers.training_utils import cast_training_params
from numpy.typing import NDArray
from peft import LoraConfig
from torch.nn import functional as F
from transformers import CLIPTextModel, CLIPTokenizer

from examples.experiments.bench.random_models import write_random_model
from stickerforge.config.schema import TrainingConfig
from stickerforge.data.captions import Caption
from stickerforge.evaluation.statistics import RESAMPLES
from stickerforge.models.registry import find_model, load_model
from stickerforge.runtime.device import default_dtype, resolve_device
from stickerforge.training.batches import TrainingExample
from stickerforge.training.methods import METHODS
from stickerforge.training.optimizer import build_optimizer
from stickerforge.training.state import init_state
from stickerforge.training.trainer import train_step

CACHED_NOISE, PICTURES, WARMUP = 2, 5, 3
USUAL_STEPS, USUAL_DRAWS = 300, 64  # of a run that the price of asking is spread over
DEVICE = resolve_device("auto")
DTYPE = default_dtype(DEVICE)
Step = Callable[[int], None]


def random_pictures(pixels: int, channels: int) -> torch.Tensor:
    """Smooth random pictures, (PICTURES, channels, pixels, pixels) in [0, 1], premultiplied where
    there is alpha.
    """
    noise = torch.rand((PICTURES, channels, 8, 8), generator=torch.Generator().manual_seed(0))
    planes = F.interpolate(noise, pixels, mode="bicubic").clamp(0, 1)
    return torch.cat([planes[:, :3] * planes[:, 3:], planes[:, 3:]], 1) if channels == 4 else planes


def stickerforge_step(
    folder: str, kind: str, pixels: int, batch: int, rank: int, layers: str
) -> Step:
    """A step of `customize`; the base is asked about all kept draws before it is timed."""
    config = TrainingConfig(
        steps=1,
        batch=batch,
        rank=rank,
        layers=layers,
        lr=1e-4,
        token_lr=1e-4,
        beta=100.0,  # type: ignore[arg-type]
        objective="plain" if kind == "plain" else "dco",
        offset_noise=0.0,
        weight_decay=1e-4,
        clip=1.0,
        save_every=100,
        cached_noise=CACHED_NOISE if kind == "cached" else 0,
    )
    model = load_model(find_model(folder), DEVICE, DTYPE)
    examples = []
    for index, picture in enumerate(random_pictures(pixels, 4 if model.takes_alpha else 3)):
        with torch.no_grad():
            mean, deviation = model.encode(picture[None].to(DEVICE))
        caption = Caption(
            "a <tom>, in flat style" if kind == "token" else "a cat, in flat style",
            "a cat, in flat style",
        )
        encoded = mean[0].cpu(), deviation[0].cpu()
        examples.append(TrainingExample(str(index), caption, *encoded, (0,) * 6))
    # Without a new word, as the peer's.
    tokens = {"<tom>": "cat"} if kind == "token" else {}
    state = init_state(model, tokens, rank=rank, layers=layers, text_rank=0, seed=0)
    method = METHODS[config.objective](state, examples, config, seed=0)
    optimizer = build_optimizer(method.parameter_groups(), config.epsilon)
    number = 1_000_000
    while kind == "cached" and method.state()["reference"].isnan().any():
        train_step(method, optimizer, number, config.clip)
        number += 1
    return lambda step: train_step(method, optimizer, step, config.clip) and None


def diffusers_step(folder: Path, pixels: int, batch: int, rank: int, *, bare: bool) -> Step:
    """A step of the peer's loop; `bare`, with latents and prompts kept."""
    words, text = (
        CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=DTYPE),
    )
    large = (folder / "text_encoder_2").exists()
    vae_dtype = torch.float32 if large else DTYPE
    vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=vae_dtype)
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=DTYPE)
    scheduler = DDPMScheduler.from_pretrained(folder / "scheduler")
    for module in (vae, text, unet):
        module.requires_grad_(False).to(DEVICE)
    unet.add_adapter(
        LoraConfig(
            r=rank,
            lora_alpha=rank,
            init_lora_weights="gaussian",
            target_modules=["to_k", "to_q", "to_v", "to_out.0"],
        )
    )
    cast_training_params(unet, torch.float32)
    parameters = [parameter for parameter in unet.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=1e-2)
    schedule = get_scheduler("constant", optimizer=optimizer)
    images = (random_pictures(pixels, vae.config.in_channels) * 2 - 1).to(DEVICE, vae_dtype)
    added: dict[str, torch.Tensor] | None = None
    if large:  # as in its script, one prompt is encoded once
        width = unet.config.cross_attention_dim
        embeddings = torch.randn(batch, 77, width, device=DEVICE, dtype=DTYPE)
        pooled = (
            unet.config.projection_class_embeddings_input_dim
            - 6 * unet.config.addition_time_embed_dim
        )
        added = {
            "text_embeds": torch.randn(batch, pooled, device=DEVICE, dtype=DTYPE),
            "time_ids": torch.tensor([[pixels, pixels, 0, 0, pixels, pixels]] * batch).to(DEVICE),
        }

    def encoded(number: int) -> torch.Tensor:
        batch_images = images[[(number * batch + i) % PICTURES for i in range(batch)]]
        latents = vae.encode(batch_images).latent_dist.sample() * vae.config.scaling_factor
        return latents.to(DTYPE)

    def prompts() -> torch.Tensor:
        ids = words(
            ["a sks cat"] * batch,
            padding="max_length",
            truncation=True,
            max_length=77,
            return_tensors="pt",
        ).input_ids
        return text(ids.to(DEVICE))[0]

    with torch.no_grad():
        cached = (encoded(0), embeddings if large else prompts()) if bare else None

    def step(number: int) -> None:
        latents = encoded(number) if cached is None else cached[0]
        noise = torch.randn_like(latents)
        timesteps = torch.randint(0, scheduler.config.num_train_timesteps, (batch,), device=DEVICE)
        noisy = scheduler.add_noise(latents, noise, timesteps)
        prompt = cached[1] if cached is not None else embeddings if large else prompts()
        with torch.autocast(DEVICE.type, DTYPE, enabled=DTYPE != torch.float32):
            prediction = unet(noisy, timesteps, prompt, added_cond_kwargs=added).sample
        velocity = scheduler.config.prediction_type == "v_prediction"
        target = scheduler.get_velocity(latents, noise, timesteps) if velocity else noise
        F.mse_loss(prediction.float(), target.float()).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()

    return step


def time_rounds(runs: dict[str, Step], steps: int) -> dict[str, NDArray[np.float64]]:
    """Milliseconds of each in every round, (steps,); the order rotates."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    names = list(runs)
    for number in range(steps + WARMUP):
        for place in range(len(names)):
            name = names[(place + number) % len(names)]
            started = time.perf_counter()
            runs[name](number)
            if DEVICE.type == "cuda":
                torch.cuda.synchronize()
            if number >= WARMUP:
                times[name].append(1000 * (time.perf_counter() - started))
    return {name: np.array(values) for name, values in times.items()}


def ratio(one: NDArray[np.float64], other: NDArray[np.float64]) -> str:
    """The median of the rounds' ratios, and the middle 95 % of its bootstrap."""
    values = one / other
    rows = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.quantile(np.median(values[rows], 1), (0.025, 0.975))
    return f"{np.median(values):.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=("mini", "sd", "sdxl"), default="mini")
    parser.add_argument(
        "--width", type=float, default=0.5, help="share of the published width, of sd and sdxl"
    )
    parser.add_argument(
        "--pixels", type=int, default=256, help="side of the pictures, of sd and sdxl"
    )
    parser.add_argument("--folder", type=Path, help="where sd and sdxl are kept")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--steps", type=int, default=60, help="rounds")
    parser.add_argument(
        "--layers",
        choices=("attention", "all"),
        default="attention",
        help="of ours; the peer trains attention",
    )
    args = parser.parse_args()
    mini = args.model == "mini"
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary) / "model"
        if mini:
            folder = find_model("sticker-mini").folder
        elif not folder.exists():
            write_random_model(args.model, args.width, args.pixels, folder, DTYPE)
        pixels, name = (128, "sticker-mini") if mini else (args.pixels, str(folder))
        runs = {
            kind: stickerforge_step(name, kind, pixels, args.batch, args.rank, args.layers)
            for kind in ("plain", "live", "cached", "token")
        }
        if args.layers == "attention":
            runs |= {
                kind: diffusers_step(folder, pixels, args.batch, args.rank, bare=kind == "bare")
                for kind in ("diffusers", "bare")
            }
        result = time_rounds(runs, args.steps)
        weights = sum(path.stat().st_size for path in (folder / "unet").glob("*.safetensors"))
    what = (
        "sticker-mini"
        if mini
        else f"{args.model} at {args.width:g} of its width ({weights / 4e6:.0f} million weights)"
    )
    print(
        f"{what}, {pixels} px, batch {args.batch}, rank {args.rank}, "
        f"ours on {args.layers} layers, {DEVICE} ({torch.get_num_threads()} threads)"
    )
    print(
        f"torch {torch.__version__}, diffusers {diffusers.__version__}, "
        f"{platform.machine()}, medians of {args.steps} rounds"
    )
    print(", ".join(f"{kind} {np.median(values):.0f} ms" for kind, values in result.items()))
    for one in ("live", "cached", "token", "diffusers", "bare"):
        if one in result:
            print(f"{one} / plain {ratio(result[one], result['plain'])}")
    asking = (
        USUAL_DRAWS * PICTURES / (USUAL_STEPS * args.batch) * (result["live"] - result["plain"])
    )
    spread = f"over {USUAL_STEPS} steps, {USUAL_DRAWS} draws of {PICTURES} pictures asked about"
    print(f"cached / plain {spread}: {ratio(result['cached'] + asking, result['plain'])}")


if __name__ == "__main__":
    main()
