"""Milliseconds per training step: ours, plain and with DCO, against the loop of diffusers' DreamBooth LoRA script.

python examples/bench/customize_speed.py [--batch 4] [--rank 16] [--steps 30] [--layers attention|all]

The peer's loop is written out here after `examples/dreambooth/train_dreambooth_lora.py` of diffusers 0.42 (encode the
pictures, draw noise and timesteps, encode the prompts, predict, backward, clip, AdamW, scheduler), on the same model,
pictures, batch and rank, without its checkpoints and logging. The three take turns, so that a busy machine slows all.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.optimization import get_scheduler
from peft import LoraConfig
from torch.nn import functional as F
from transformers import CLIPTextModel, CLIPTokenizer

from stickerforge.data.captions import Caption
from stickerforge.models.catalog import located
from stickerforge.models.loading import load
from stickerforge.training.course import Course
from stickerforge.training.customizing import enrolled, optimizer_for, trained
from stickerforge.training.examples import Example

MODEL = located("sticker-mini")


def pixels(count: int) -> torch.Tensor:
    """Smooth random pictures, premultiplied, (count, 4, 128, 128) in [0, 1]."""
    noise = torch.rand((count, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    planes = F.interpolate(noise, 128, mode="bicubic").clamp(0, 1)
    return torch.cat([planes[:, :3] * planes[:, 3:], planes[:, 3:]], 1)


def ours(objective: str, batch: int, rank: int, layers: str) -> Callable[[int], None]:
    """A step of `customize`."""
    course = Course(
        steps=1, batch=batch, rank=rank, layers=layers, rate=1e-4, token_rate=1e-3, beta=100.0,  # type: ignore[arg-type]
        objective=objective, offset_noise=0.0, seed=0,  # type: ignore[arg-type]
        weight_decay=1e-4, clip=1.0, save_every=100,
    )  # fmt: skip
    family = load(MODEL, torch.device("cpu"), torch.float32)
    examples = []
    for index, picture in enumerate(pixels(5)):
        with torch.no_grad():
            mean, deviation = family.encode(picture[None])
        examples.append(Example(str(index), Caption("a <x>, in flat style", "a cat, in flat style"), mean[0], deviation[0], (0,) * 6))
    student = enrolled(family, course, {"<x>": "cat"})
    optimizer = optimizer_for(student, course)
    return lambda step: trained(student, optimizer, examples, course, step) and None


def theirs(batch: int, rank: int) -> Callable[[int], None]:
    """A step of the peer's loop."""
    folder = MODEL.folder
    words, text = CLIPTokenizer.from_pretrained(folder / "tokenizer"), CLIPTextModel.from_pretrained(folder / "text_encoder")
    vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32)
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
    scheduler = DDPMScheduler.from_pretrained(folder / "scheduler")
    for module in (vae, text, unet):
        module.requires_grad_(False)
    targets = ["to_k", "to_q", "to_v", "to_out.0"]
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=targets))
    parameters = [parameter for parameter in unet.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=1e-2)
    schedule = get_scheduler("constant", optimizer=optimizer)
    pictures = pixels(5) * 2 - 1

    def step(number: int) -> None:
        chosen = pictures[[(number * batch + i) % len(pictures) for i in range(batch)]]
        latents = vae.encode(chosen).latent_dist.sample() * vae.config.scaling_factor
        noise = torch.randn_like(latents)
        timesteps = torch.randint(0, scheduler.config.num_train_timesteps, (batch,))
        noisy = scheduler.add_noise(latents, noise, timesteps)
        ids = words(["a sks cat"] * batch, padding="max_length", truncation=True, max_length=77, return_tensors="pt").input_ids
        prediction = unet(noisy, timesteps, text(ids)[0]).sample
        loss = F.mse_loss(prediction.float(), scheduler.get_velocity(latents, noise, timesteps).float())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()

    return step


def main(batch: int, rank: int, steps: int, layers: str) -> None:
    """Print the medians and the ratios."""
    runs = {name: ours(name, batch, rank, layers) for name in ("plain", "dco")} | {"diffusers": theirs(batch, rank)}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(steps + 3):
        for name, run in runs.items():
            started = time.perf_counter()
            run(number)
            if number >= 3:
                times[name].append(time.perf_counter() - started)
    medians = {name: 1000 * statistics.median(values) for name, values in times.items()}
    print(
        ", ".join(f"{name} {value:.0f} ms" for name, value in medians.items()), f"per step of {batch}, rank {rank}, ours on {layers} layers"
    )
    print(f"dco / plain {medians['dco'] / medians['plain']:.2f}, plain / diffusers {medians['plain'] / medians['diffusers']:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--layers", choices=("attention", "all"), default="attention", help="of ours; the peer trains attention")
    args = parser.parse_args()
    main(args.batch, args.rank, args.steps, args.layers)
