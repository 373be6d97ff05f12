"""Milliseconds per training step: ours against the loop of diffusers' DreamBooth LoRA scripts, on the same model in the same run.

python examples/bench/customize_speed.py [--model mini|sd|sdxl] [--width 0.5] [--pixels 256] [--batch 4] [--rank 16] [--steps 20]

plain      ordinary LoRA training, as `customize --objective plain`
live       DCO, the base asked anew in every step
cached     DCO with kept draws (training.draws), once the base was asked about all of them
diffusers  the peer's step, written out after train_dreambooth_lora.py and train_dreambooth_lora_sdxl.py in `examples/dreambooth` of
           diffusers 0.42: encode the pictures, draw noise and timesteps, encode the prompts (sd; sdxl keeps them), predict,
           backward, clip, AdamW, scheduler; without checkpoints and logging

sticker-mini comes with its weights; sd and sdxl are built from their published configurations at a share of their width, with random
weights. All take turns, so that a busy machine slows all. `--layers all` trains convolutions of ours as well.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDPMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.optimization import get_scheduler
from peft import LoraConfig
from tokenizers import pre_tokenizers
from torch.nn import functional as F
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from stickerforge.data.captions import Caption
from stickerforge.models.catalog import located
from stickerforge.models.loading import load
from stickerforge.training.course import Course
from stickerforge.training.customizing import enrolled, optimizer_for, trained
from stickerforge.training.examples import Example

DRAWS, PICTURES, WARM = 4, 5, 3
Step = Callable[[int], None]


def tokenizer() -> CLIPTokenizer:
    """CLIP's, over single bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *(sign + "</w>" for sign in alphabet), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={token: i for i, token in enumerate(tokens)}, merges=[], model_max_length=77)


def text_encoder(words: CLIPTokenizer, kind: Any, width: int, layers: int, **options: int) -> Any:
    """A CLIP text tower with random weights."""
    return kind(
        CLIPTextConfig(
            vocab_size=len(words), hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers,
            num_attention_heads=width // 64, bos_token_id=words.bos_token_id, eos_token_id=words.eos_token_id,
            pad_token_id=words.pad_token_id, **options,
        )
    )  # fmt: skip


def random_model(kind: str, share: float, pixels: int, folder: Path) -> Path:
    """A Stable Diffusion 1.5 or XL of a share of its width, in diffusers format."""
    torch.manual_seed(0)
    words, wide = tokenizer(), lambda channels: max(64, int(channels * share) // 64 * 64)
    vae = AutoencoderKL(
        block_out_channels=tuple(max(32, int(c * share) // 32 * 32) for c in (128, 256, 512, 512)), layers_per_block=2, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, sample_size=pixels,
    )  # fmt: skip
    scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    first, rest = wide(768), {"vae": vae, "scheduler": scheduler, "tokenizer": words}
    if kind == "sd":
        unet = UNet2DConditionModel(
            sample_size=pixels // 8, cross_attention_dim=first, attention_head_dim=8,
            block_out_channels=tuple(map(wide, (320, 640, 1280, 1280))),
        )  # fmt: skip
        pipeline: Any = StableDiffusionPipeline(
            unet=unet, text_encoder=text_encoder(words, CLIPTextModel, first, 12), safety_checker=None, feature_extractor=None,
            requires_safety_checker=False, **rest,
        )  # fmt: skip
    else:
        second = wide(1280)
        channels = tuple(map(wide, (320, 640, 1280)))
        unet = UNet2DConditionModel(
            sample_size=pixels // 8, cross_attention_dim=first + second, block_out_channels=channels, addition_embed_type="text_time",
            attention_head_dim=tuple(c // 64 for c in channels), transformer_layers_per_block=(1, 2, 10), addition_time_embed_dim=256,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), use_linear_projection=True,
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            projection_class_embeddings_input_dim=6 * 256 + second,
        )  # fmt: skip
        pipeline = StableDiffusionXLPipeline(
            unet=unet, text_encoder=text_encoder(words, CLIPTextModel, first, 12), tokenizer_2=tokenizer(),
            text_encoder_2=text_encoder(words, CLIPTextModelWithProjection, second, 32, projection_dim=second), **rest,
        )  # fmt: skip
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def pictures(pixels: int, channels: int) -> torch.Tensor:
    """Smooth random pictures, (PICTURES, channels, pixels, pixels) in [0, 1], premultiplied where there is alpha."""
    noise = torch.rand((PICTURES, channels, 8, 8), generator=torch.Generator().manual_seed(0))
    planes = F.interpolate(noise, pixels, mode="bicubic").clamp(0, 1)
    return torch.cat([planes[:, :3] * planes[:, 3:], planes[:, 3:]], 1) if channels == 4 else planes


def ours(folder: str, kind: str, pixels: int, batch: int, rank: int, layers: str) -> Step:
    """A step of `customize`; kept draws are all asked about before it is timed."""
    course = Course(
        steps=1, batch=batch, rank=rank, layers=layers, rate=1e-4, token_rate=0.0, beta=100.0,  # type: ignore[arg-type]
        objective="plain" if kind == "plain" else "dco", offset_noise=0.0, seed=0, weight_decay=1e-4, clip=1.0, save_every=100,
        draws=DRAWS if kind == "cached" else 0,
    )  # fmt: skip
    family = load(located(folder), torch.device("cpu"), torch.float32)
    examples = []
    for index, picture in enumerate(pictures(pixels, 4 if family.has_alpha else 3)):
        with torch.no_grad():
            mean, deviation = family.encode(picture[None])
        examples.append(Example(str(index), Caption("a cat, in flat style", "a cat, in flat style"), mean[0], deviation[0], (0,) * 6))
    student = enrolled(family, course, {})  # without a new word, as the peer's
    if course.draws:
        student.reference = torch.zeros(PICTURES, DRAWS)
    optimizer = optimizer_for(student, course)
    return lambda step: trained(student, optimizer, examples, course, step) and None


def theirs(folder: Path, pixels: int, batch: int, rank: int) -> Step:
    """A step of the peer's loop."""
    words, text = CLIPTokenizer.from_pretrained(folder / "tokenizer"), CLIPTextModel.from_pretrained(folder / "text_encoder")
    vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32)
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
    scheduler = DDPMScheduler.from_pretrained(folder / "scheduler")
    large = (folder / "text_encoder_2").exists()
    for module in (vae, text, unet):
        module.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=["to_k", "to_q", "to_v", "to_out.0"]))
    parameters = [parameter for parameter in unet.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=1e-2)
    schedule = get_scheduler("constant", optimizer=optimizer)
    shown = pictures(pixels, vae.config.in_channels) * 2 - 1
    added: dict[str, torch.Tensor] | None = None
    if large:  # as in its script, one prompt is encoded once
        hidden = torch.randn(batch, 77, unet.config.cross_attention_dim)
        pooled = unet.config.projection_class_embeddings_input_dim - 6 * unet.config.addition_time_embed_dim
        added = {"text_embeds": torch.randn(batch, pooled), "time_ids": torch.tensor([[pixels, pixels, 0, 0, pixels, pixels]] * batch)}

    def step(number: int) -> None:
        chosen = shown[[(number * batch + i) % PICTURES for i in range(batch)]]
        latents = vae.encode(chosen).latent_dist.sample() * vae.config.scaling_factor
        noise = torch.randn_like(latents)
        timesteps = torch.randint(0, scheduler.config.num_train_timesteps, (batch,))
        noisy = scheduler.add_noise(latents, noise, timesteps)
        if large:
            prompt = hidden
        else:
            ids = words(["a sks cat"] * batch, padding="max_length", truncation=True, max_length=77, return_tensors="pt").input_ids
            prompt = text(ids)[0]
        prediction = unet(noisy, timesteps, prompt, added_cond_kwargs=added).sample
        velocity = scheduler.config.prediction_type == "v_prediction"
        target = scheduler.get_velocity(latents, noise, timesteps) if velocity else noise
        F.mse_loss(prediction.float(), target.float()).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()

    return step


def timed(runs: dict[str, Step], steps: int) -> dict[str, float]:
    """Median milliseconds of each, in turns."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(steps + WARM):
        for name, run in runs.items():
            started = time.perf_counter()
            run(number)
            if number >= WARM:
                times[name].append(time.perf_counter() - started)
    return {name: 1000 * statistics.median(values) for name, values in times.items()}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("mini", "sd", "sdxl"), default="mini")
    parser.add_argument("--width", type=float, default=0.5, help="share of the published width, of sd and sdxl")
    parser.add_argument("--pixels", type=int, default=256, help="side of the pictures, of sd and sdxl")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--layers", choices=("attention", "all"), default="attention", help="of ours; the peer trains attention")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        mini = args.model == "mini"
        folder = located("sticker-mini").folder if mini else random_model(args.model, args.width, args.pixels, Path(temporary) / "model")
        pixels, name = (128, "sticker-mini") if mini else (args.pixels, str(folder))
        runs = {kind: ours(name, kind, pixels, args.batch, args.rank, args.layers) for kind in ("plain", "live", "cached")}
        found = timed(runs | {"diffusers": theirs(folder, pixels, args.batch, args.rank)}, args.steps)
    what = "sticker-mini" if mini else f"{args.model} at {args.width:g} of its width"
    print(f"{what}, {pixels} px, batch {args.batch}, rank {args.rank}, ours on {args.layers} layers, {torch.get_num_threads()} threads")
    print(", ".join(f"{kind} {value:.0f} ms" for kind, value in found.items()))
    ratios = (("live", "plain"), ("cached", "plain"), ("diffusers", "plain"))
    print(", ".join(f"{one} / {other} {found[one] / found[other]:.2f}" for one, other in ratios))


if __name__ == "__main__":
    main()
