"""The training of a GPU lap, on the machine that it is for; gpu_lap.py starts it.

python3 -m examples.recipes.mini.gpu_lap_training [--minutes 25] [--batch 2048] [--workers 13]
    [--steps N] [--no-graph]
"""

import argparse
import json
import time
from collections.abc import Callable

import torch
from torch import multiprocessing as mp
from torch import nn

from examples.recipes.mini.art import write_sprites
from examples.recipes.mini.denoiser import channel_weights
from examples.recipes.mini.gpu_lap import LAP, MINUTES, OUT
from examples.recipes.mini.lap_step import LapStep
from examples.recipes.mini.latent_buffer import LatentBuffer, SceneBlock, produce_scenes, read_ahead
from examples.recipes.mini.networks import build_scheduler
from examples.recipes.mini.optim import ema_copy, update_ema
from examples.recipes.mini.sample_sheet import sample_sheet
from examples.recipes.mini.settings import DATA, SEED
from examples.recipes.mini.version_3 import BATCH
from examples.recipes.mini.weights import Weights, load_newest, write_halves

CAPACITY = 1_200_000  # scenes on the GPU at most; further ones take the places of the oldest
FIRST_SCENES = 20_000  # scenes before the training begins
RATE, WARMUP, DECAY_SHARE = 1e-3, 100, 0.4  # the rate falls to 0 over the last share of the time
TAKE_EVERY = 8  # steps from one look for new scenes to the next: it waits for the GPU
SAVE_SECONDS = 240.0  # seconds between weights


def lap_lr(passed: float, step: int) -> float:
    """The learning rate after a share of the time."""
    return RATE * min(1.0, (step + 1) / WARMUP) * min(1.0, (1 - passed) / DECAY_SHARE)


def compile_if_faster(module: nn.Module, step: Callable[[], object], count: int = 20) -> None:
    """Compile a part of the model where that makes a step faster.

    Args:
        step: one forward and backward pass that changes no weights.
    """

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
    module.compile()
    compiled = seconds()
    print(f"a step takes {plain:.4f} s, compiled {compiled:.4f} s", flush=True)
    if compiled > plain:
        module._compiled_call_impl = None


def save_lap(
    mean: nn.ModuleDict, initial: Weights, seen: int, metrics: list[dict[str, float]], device: str
) -> None:
    """Everything that is to come back.

    A step of version 3 is BATCH pictures, whatever the batch of a lap.
    """
    OUT.mkdir(exist_ok=True)
    write_halves(mean, OUT, initial.step + seen // BATCH)
    (OUT / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in metrics))
    sample_sheet(mean, initial, device).save(OUT / "sheet.png")


def train(
    minutes: float, batch: int, workers: int, steps: int, room: int, first: int, graph: bool
) -> None:
    """One lap: until the time is up, or `steps` are done; with a CUDA graph where wanted."""
    started, device = time.monotonic(), "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(SEED)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    initial = load_newest()
    handed: mp.Queue[SceneBlock] = mp.Queue(4 * workers)
    drawing = [
        mp.Process(target=produce_scenes, args=(worker, workers, initial.step, handed), daemon=True)
        for worker in range(workers)
    ]
    for process in drawing:
        process.start()
    model, autoencoder = initial.model.to(device), initial.autoencoder.to(device)
    bank = LatentBuffer(lambda pixels: autoencoder.encode(pixels).latent_dist.mean, device, room)
    read = read_ahead(handed)
    while bank.total < first:
        bank.take(read, wait=20)
        if not all(process.is_alive() for process in drawing):
            raise RuntimeError("a process that draws scenes has ended: its error is above")
    print(
        f"{time.monotonic() - started:.0f} s: {bank.total} scenes, from step {initial.step}",
        flush=True,
    )
    weight = channel_weights(autoencoder, bank.latents[:64].float())
    generator = torch.Generator(device).manual_seed(SEED + initial.step)
    model["unet"].to(memory_format=torch.channels_last)
    advance = LapStep(model, build_scheduler().alphas_cumprod.to(device), weight, generator)
    sample = lambda: bank.sample(batch, generator)  # noqa: E731
    if device == "cuda":
        advance.hold(*sample())
        compile_if_faster(model["unet"], advance.compute)
        if graph:
            advance.capture(sample)
        print(f"{time.monotonic() - started:.0f} s: the first step", flush=True)
    mean = ema_copy(model)
    metrics: list[dict[str, float]] = []
    saved, seen, losses, step = time.monotonic(), 0, [], 0
    while True:
        passed = max((time.monotonic() - started) / (60 * minutes), step / steps if steps else 0.0)
        if passed >= 1:
            break
        loss = advance(*sample(), lap_lr(passed, step))
        update_ema(mean, model, step, 0.999)
        losses.append(loss)
        if step % TAKE_EVERY == 0:
            bank.take(read, most=TAKE_EVERY)
        step, seen = step + 1, seen + batch
        if step % 100 == 0 or step == steps:
            line = {
                "step": step,
                "seconds": round(time.monotonic() - started, 1),
                "loss": float(torch.stack(losses).mean()),
                "pictures": seen,
            }
            metrics.append(line | {"scenes": bank.total, "rate": lap_lr(passed, step)})
            print(
                json.dumps(metrics[-1]),
                f"{sum(process.is_alive() for process in drawing)} draw",
                flush=True,
            )
            losses = []
        if time.monotonic() - saved > SAVE_SECONDS:
            save_lap(mean, initial, seen, metrics, device)
            saved = time.monotonic()
    save_lap(mean, initial, seen, metrics, device)
    print(
        f"{time.monotonic() - started:.0f} s: done, {step} steps, "
        f"step {initial.step + seen // BATCH} of version 3",
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
    parser.add_argument("--room", type=int, default=CAPACITY)
    parser.add_argument(
        "--first", type=int, default=FIRST_SCENES, help="scenes before the training begins"
    )
    parser.add_argument(
        "--graph",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="make each step one CUDA graph",
    )
    args = parser.parse_args()
    mp.set_start_method("spawn")
    if not (DATA / "sprites.npy").exists():
        write_sprites(DATA / "sprites.npy", LAP / "drawings.json.xz")
    train(args.minutes, args.batch, args.workers, args.steps, args.room, args.first, args.graph)
