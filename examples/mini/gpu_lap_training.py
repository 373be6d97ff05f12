"""The training of a GPU lap, on the machine that it is for; gpu_lap.py starts it.

python3 mini/gpu_lap_training.py [--minutes 25] [--batch 2048] [--workers 13] [--steps N]

Shapes: N scenes; B pictures; C, H, W latent channels, rows, columns; K tellings of a scene; L tokens.
"""

import argparse
import json
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch import multiprocessing as mp
from transformers import CLIPTokenizer

from art import write
from denoiser import build_scheduler, by_kind, importance
from gpu_lap import LAP, MINUTES, OUT
from lessons_3 import lessons, telling
from settings import DATA, LATENT_CHANNELS, MODEL, PIXELS, SEED, STYLES
from training import Muon, average, averaged, descend
from version_3 import BATCH
from weights import Weights, newest, write_halves
from words import TEXT_LENGTH

SHARES = {
    "one": 0.68,
    "mirrored": 0.03,
    "placed": 0.04,
    "counted": 0.07,
    "pair": 0.11,
    "dressed": 0.04,
    "suited": 0.03,
}
TELLINGS, TOGETHER = 6, 64  # of each scene; scenes that a worker hands over at once
ROOM = 1_200_000  # scenes on the GPU at most; further ones take the places of the oldest
FIRST = 20_000  # scenes before the training begins
RATE, WARM, FALL = 1e-3, 100, 0.4  # the rate falls to nothing over the last share of the time
SAVE = 240.0  # seconds between weights
SHOWN = tuple(
    """cat/draw a happy corgi/thumbs up/i love you/penguin wearing a scarf/birthday cake/two red apples/pizza please/good morning/
    gimme a dragon in flat style/a dog wearing a crown/small blue star""".replace(
        "\n    ", ""
    ).split("/")
)


Handed = tuple[
    np.ndarray, np.ndarray
]  # pixels uint8 (TOGETHER, P, P, 4), tokens int16 (TOGETHER, K, L)


def draw_scenes(worker: int, workers: int, step: int, handed: "mp.Queue[Handed]") -> None:
    """Draw every `workers`-th block of scenes, without end, with tellings of each; after each step of version 3 other ones."""
    torch.set_num_threads(1)
    scenes = lessons(everything=True)
    scenes.shares, scenes.seed = SHARES, scenes.seed + step
    tell, words = telling(scenes), CLIPTokenizer.from_pretrained(MODEL / "tokenizer")
    for block in range(worker, 1 << 40, workers):
        indices = range(block * TOGETHER, (block + 1) * TOGETHER)
        drawn = [scenes[index] for index in indices]
        told = [
            tell(truth, np.random.default_rng((SEED, 61, step, index, k)))
            for index, (_, truth) in zip(indices, drawn, strict=True)
            for k in range(TELLINGS)
        ]
        ids = words(
            told, padding="max_length", truncation=True, max_length=TEXT_LENGTH, return_tensors="np"
        ).input_ids
        handed.put(
            (
                np.stack([rgba for rgba, _ in drawn]),
                ids.astype(np.int16).reshape(TOGETHER, TELLINGS, TEXT_LENGTH),
            )
        )


@dataclass
class DeviceBank:
    """Latents and tellings on the device.

    Args:
        encode: pixels (B, 4, P, P) to latents (B, C, H, W).
        seen: scenes that have come so far; the oldest go when there is no more room.
    """

    encode: Callable[[Tensor], Tensor]
    device: str
    room: int
    seen: int = 0
    latents: Tensor = field(init=False)
    tokens: Tensor = field(init=False)

    def __post_init__(self) -> None:
        side = PIXELS // 8
        self.latents = torch.empty(
            self.room, LATENT_CHANNELS, side, side, dtype=torch.float16, device=self.device
        )
        self.tokens = torch.empty(
            self.room, TELLINGS, TEXT_LENGTH, dtype=torch.int16, device=self.device
        )

    @torch.no_grad()
    def take(self, handed: "mp.Queue[Handed]", wait: float = 0.0, most: int = 2) -> None:
        """Encode what the workers have handed over, at most so many blocks; waits for the first one if there is time."""
        for number in range(most):
            try:
                pixels, tokens = (
                    handed.get(timeout=wait) if wait and not number else handed.get_nowait()
                )
            except queue.Empty:
                return
            places = (
                torch.arange(self.seen, self.seen + len(pixels), device=self.device) % self.room
            )
            rgba = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
            self.latents[places] = self.encode(rgba).half()
            self.tokens[places] = torch.from_numpy(tokens).to(self.device)
            self.seen += len(pixels)

    def some(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(latents (count, C, H, W), tokens (count, L)) of scenes drawn evenly, each in one of its tellings."""
        rows = torch.randint(
            min(self.seen, self.room), (count,), generator=generator, device=self.device
        )
        ways = torch.randint(TELLINGS, (count,), generator=generator, device=self.device)
        return self.latents[rows].float(), self.tokens[rows, ways].long()


def lap_loss(
    model: nn.ModuleDict,
    signal: Tensor,
    latents: Tensor,
    tokens: Tensor,
    weight: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """The loss of denoiser.py with everything drawn on the device: the mean squared error of the velocity.

    Args:
        signal: alphas_cumprod of the scheduler, (timesteps,).
        latents: (B, C, H, W).
        tokens: (B, L).
        weight: of the channels, (C, 1, 1).
    """
    count, device = len(latents), latents.device
    strata = (
        torch.arange(count, device=device) + torch.rand(count, generator=generator, device=device)
    ) / count
    timesteps = ((1 - (1 - strata).square()) * len(signal)).long().clamp(max=len(signal) - 1)
    noise = torch.randn(latents.shape, generator=generator, device=device)
    alpha, sigma = (
        signal[timesteps].sqrt()[:, None, None, None],
        (1 - signal[timesteps]).sqrt()[:, None, None, None],
    )
    noisy, target = alpha * latents + sigma * noise, alpha * noise - sigma * latents
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        velocity = model["unet"](noisy, timesteps, model["text"](tokens).last_hidden_state).sample
    return ((velocity.float() - target).square() * weight).mean()


def rate(passed: float, step: int) -> float:
    """The learning rate after a share of the time."""
    return RATE * min(1.0, (step + 1) / WARM) * min(1.0, (1 - passed) / FALL)


def quicker(model: nn.ModuleDict, step: Callable[[], None], count: int = 20) -> None:
    """Compile the denoiser where that makes a step faster; `step` takes one and changes nothing that matters."""

    def seconds() -> float:
        for _ in range(3):
            step()
        torch.cuda.synchronize()
        started = time.monotonic()
        for _ in range(count):
            step()
        torch.cuda.synchronize()
        return (time.monotonic() - started) / count

    import torch._dynamo

    torch._dynamo.config.suppress_errors = True
    plain = seconds()
    model["unet"].compile()
    compiled = seconds()
    print(f"a step takes {plain:.4f} s, compiled {compiled:.4f} s", flush=True)
    if compiled > plain:
        model["unet"]._compiled_call_impl = None


@torch.no_grad()
def sheet(
    mean: nn.ModuleDict, begun: Weights, device: str, steps: int = 12, guidance: float = 2.0
) -> Image.Image:
    """What the averaged weights draw of SHOWN, a row for each seed, on grey."""
    scheduler, page = (
        build_scheduler(),
        Image.new("RGB", (len(SHOWN) * PIXELS, 3 * PIXELS), (206, 206, 206)),
    )
    captions = [
        "",
        *(
            f"{shown}, in {STYLES[i % 4]} style" if i < 2 else shown
            for i, shown in enumerate(SHOWN)
        ),
    ]
    tokens = begun.words(
        captions, padding="max_length", truncation=True, max_length=TEXT_LENGTH, return_tensors="pt"
    ).input_ids
    hidden = mean["text"](tokens.to(device)).last_hidden_state
    text, empty = hidden[1:], hidden[:1].expand(len(SHOWN), -1, -1)
    for seed in range(3):
        shape = (len(SHOWN), LATENT_CHANNELS, PIXELS // 8, PIXELS // 8)
        noisy = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(device)
        scheduler.set_timesteps(steps)
        for timestep in scheduler.timesteps:
            without, told = mean["unet"](
                noisy.repeat(2, 1, 1, 1), timestep.to(device), torch.cat([empty, text])
            ).sample.chunk(2)
            noisy = scheduler.step(
                without + guidance * (told - without), timestep, noisy
            ).prev_sample
        pixels = (
            ((begun.autoencoder.decode(noisy).sample + 1) * 127.5)
            .round()
            .clamp(0, 255)
            .byte()
            .permute(0, 2, 3, 1)
            .cpu()
            .numpy()
        )
        for column, rgba in enumerate(pixels):
            picture = Image.frombuffer(
                "RGBa", (PIXELS, PIXELS), np.ascontiguousarray(rgba).tobytes(), "raw", "RGBa", 0, 1
            ).convert("RGBA")
            page.paste(picture, (column * PIXELS, seed * PIXELS), picture)
    return page


def save(
    mean: nn.ModuleDict, begun: Weights, seen: int, metrics: list[dict[str, float]], device: str
) -> None:
    """Everything that is to come back; a step of version 3 is BATCH pictures, whatever the batch of a lap."""
    OUT.mkdir(exist_ok=True)
    write_halves(mean, OUT, begun.step + seen // BATCH)
    (OUT / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in metrics))
    sheet(mean, begun, device).save(OUT / "sheet.png")


def train(minutes: float, batch: int, workers: int, steps: int, room: int, first: int) -> None:
    """One lap: until the time is up, or `steps` are done."""
    started, device = time.monotonic(), "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(SEED)
    torch.set_float32_matmul_precision("high")
    begun = newest()
    handed: mp.Queue[Handed] = mp.Queue(4 * workers)
    drawing = [
        mp.Process(target=draw_scenes, args=(worker, workers, begun.step, handed), daemon=True)
        for worker in range(workers)
    ]
    for process in drawing:
        process.start()
    model, autoencoder = begun.model.to(device), begun.autoencoder.to(device)
    bank = DeviceBank(lambda pixels: autoencoder.encode(pixels).latent_dist.mean, device, room)
    while bank.seen < first:
        bank.take(handed, wait=20)
        if not all(process.is_alive() for process in drawing):
            raise RuntimeError("a process that draws scenes has ended: its error is above")
    print(
        f"{time.monotonic() - started:.0f} s: {bank.seen} scenes, from step {begun.step}",
        flush=True,
    )
    weight = importance(autoencoder, bank.latents[:64].float())
    signal = build_scheduler().alphas_cumprod.to(device)
    generator = torch.Generator(device).manual_seed(SEED + begun.step)
    model["unet"].to(memory_format=torch.channels_last)
    if device == "cuda":
        quicker(
            model,
            lambda: lap_loss(
                model, signal, *bank.some(batch, generator), weight, generator
            ).backward(),
        )
    mean, optimizer = averaged(model), Muon(*by_kind(model), lr=RATE)
    metrics: list[dict[str, float]] = []
    saved, seen, losses, step = time.monotonic(), 0, [], 0
    while True:
        passed = max((time.monotonic() - started) / (60 * minutes), step / steps if steps else 0.0)
        if passed >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = rate(passed, step)
        loss = lap_loss(model, signal, *bank.some(batch, generator), weight, generator)
        descend(loss, model, optimizer)
        average(mean, model, step, 0.999)
        losses.append(loss.detach())
        bank.take(handed)
        step, seen = step + 1, seen + batch
        if step % 100 == 0 or step == steps:
            line = {
                "step": step,
                "seconds": round(time.monotonic() - started, 1),
                "loss": float(torch.stack(losses).mean()),
                "pictures": seen,
            }
            metrics.append(line | {"scenes": bank.seen, "rate": rate(passed, step)})
            print(
                json.dumps(metrics[-1]),
                f"{sum(process.is_alive() for process in drawing)} draw",
                flush=True,
            )
            losses = []
        if time.monotonic() - saved > SAVE:
            save(mean, begun, seen, metrics, device)
            saved = time.monotonic()
    save(mean, begun, seen, metrics, device)
    print(
        f"{time.monotonic() - started:.0f} s: done, {step} steps, step {begun.step + seen // BATCH} of version 3",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--workers", type=int, default=13)
    parser.add_argument(
        "--steps", type=int, default=0, help="end after so many; 0: when the time is up"
    )
    parser.add_argument("--room", type=int, default=ROOM)
    parser.add_argument(
        "--first", type=int, default=FIRST, help="scenes before the training begins"
    )
    args = parser.parse_args()
    mp.set_start_method("spawn")
    if not (DATA / "sprites.npy").exists():
        write(DATA / "sprites.npy", LAP / "drawings.json.xz")
    train(args.minutes, args.batch, args.workers, args.steps, args.room, args.first)
