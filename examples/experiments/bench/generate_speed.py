"""Seconds of starting, of a first sticker and of one more: the figures that README quotes.

python -m examples.experiments.bench.generate_speed [--runs 3]
python -m examples.experiments.bench.generate_speed --diffusers [--runs 3]

Each is the median of several runs on this machine; the machine and the date are printed with them.

`--diffusers` compares whole calls with the plain pipeline of diffusers on the same model instead:
loading, then COUNT pictures with the same prompt, steps and guidance; ours are finished at 512 px,
written, and shown on a contact sheet, those of the pipeline stay 128 px in memory. The pipeline is
called as its documentation does, once per picture. Rounds alternate, and a ratio is the median of
the rounds' ratios: of the time on the clock, and of the processor time of all threads, which other
processes on the machine hardly touch.
"""

import argparse
import datetime as dt
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import stickerforge
from stickerforge.config.resolve import resolve
from stickerforge.config.schema import GenerateConfig
from stickerforge.config.style_presets import style_presets
from stickerforge.generation.image_writer import save_image
from stickerforge.generation.inference import load, sample_jobs
from stickerforge.generation.plan import plan_generation
from stickerforge.generation.sampler import guidance_params, sampling_params
from stickerforge.models.registry import find_model
from stickerforge.runtime.console import Console

PROMPT = "cat astronaut"
COUNT = 8  # one batch of eight
GENERATE = ["generate", PROMPT, "--style", "sticker", "--offline", "--quiet"]
HELPS = (
    ["--help"],
    ["generate", "--help"],
    ["customize", "--help"],
    ["merge", "--help"],
    ["caption", "--help"],
    ["evaluate", "--help"],
    ["adapters", "--help"],
    ["adapters", "list", "--help"],
    ["adapters", "show", "--help"],
    ["adapters", "remove", "--help"],
    ["models", "--help"],
    ["models", "list", "--help"],
    ["models", "show", "--help"],
    ["doctor", "--help"],
)


def process_seconds(arguments: list[str], folder: str) -> float:
    """Seconds of one whole process."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "stickerforge", *arguments],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def cold_seconds(runs: int) -> float:
    """One sticker from a new process to a file on disk."""
    with tempfile.TemporaryDirectory() as folder:
        return statistics.median(
            process_seconds([*GENERATE, "--seed", str(seed)], folder) for seed in range(runs)
        )


def warm_seconds(runs: int) -> float:
    """One more sticker with the model loaded: denoising, decoding, finishing, writing."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "prompt": [PROMPT],
            "style": "sticker",
            "count": runs + 1,
            "seed": 0,
            "output.folder": folder,
        }
        plan = plan_generation(resolve(GenerateConfig, settings), Console(quiet=True), offline=True)
        model = load(plan.card, plan.device)
        sampling = sampling_params(plan.sampling, model.pixels)
        images = sample_jobs(model, plan.jobs, sampling, guidance_params(plan.sampling))
        seconds = []
        for _ in plan.jobs:
            started = time.perf_counter()
            save_image(*next(images), None, True)
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def stickerforge_call(batch: int) -> None:
    """One call of COUNT pictures, from the plan to the contact sheet."""
    settings = {
        "style": "sticker",
        "count": COUNT,
        "seed": 0,
        "sampling.batch": batch,
    }
    with tempfile.TemporaryDirectory() as folder:
        stickerforge.generate(PROMPT, settings=settings | {"output.folder": folder}, offline=True)


def diffusers_call() -> None:
    """The same number of pictures by the plain pipeline."""
    import torch
    from diffusers import StableDiffusionPipeline

    card = find_model("sticker-mini")
    pipeline = StableDiffusionPipeline.from_pretrained(card.folder, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    text = f"{PROMPT}, {style_presets()['sticker'].words}"
    size, steps = card.sampling["pixels"], card.sampling["steps"]
    for seed in range(COUNT):
        pipeline(
            text,
            height=size,
            width=size,
            num_inference_steps=steps,
            guidance_scale=card.sampling["guidance"],
            generator=torch.Generator().manual_seed(seed),
        )


def timed(call: Callable[[], None]) -> tuple[float, float]:
    """(seconds on the clock, seconds of processor time) of a call."""
    started, processor = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - started, time.process_time() - processor


def compare_with_diffusers(runs: int) -> None:
    """Measure and print both pairs: pictures one by one, and eight together."""
    calls = {
        "diffusers": diffusers_call,
        "one by one": partial(stickerforge_call, 1),
        "batch of 8": partial(stickerforge_call, 8),
    }
    for call in calls.values():
        call()  # imports and first allocations
    rounds = [{name: timed(call) for name, call in calls.items()} for _ in range(runs)]
    for name in calls:
        clock, processor = (
            statistics.median(seconds[name][kind] for seconds in rounds) / COUNT for kind in (0, 1)
        )
        ratios = [
            statistics.median(
                seconds[name][kind] / seconds["diffusers"][kind] for seconds in rounds
            )
            for kind in (0, 1)
        ]
        print(
            f"{name:12} {clock:6.3f} s a picture ({ratios[0]:.2f}x),"
            f" {processor:6.3f} s of processor time ({ratios[1]:.2f}x)"
        )


def processor_name() -> str:
    """The processor's name, where the system says it."""
    info = Path("/proc/cpuinfo")
    result = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return result[1] if result else platform.processor()


def main(runs: int, *, diffusers: bool) -> None:
    """Measure and print."""
    print(
        f"{processor_name()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, {dt.date.today()}"
    )
    if diffusers:
        compare_with_diffusers(runs)
        return
    with tempfile.TemporaryDirectory() as folder:
        for arguments in HELPS:
            process_seconds(arguments, folder)
            seconds = statistics.median(
                process_seconds(arguments, folder) for _ in range(2 * runs + 1)
            )
            print(f"stickerforge {' '.join(arguments):20} {seconds:6.2f} s")
    print(f"cold, one sticker                 {cold_seconds(runs):6.2f} s")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"peak memory of that process       {peak:6.0f} MiB")
    print(f"warm, one sticker                 {warm_seconds(2 * runs):6.2f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--diffusers", action="store_true", help="compare with its plain pipeline")
    arguments = parser.parse_args()
    main(arguments.runs, diffusers=arguments.diffusers)
