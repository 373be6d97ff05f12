"""Seconds of starting, of a first sticker and of one more: the figures that README quotes.

python -m examples.experiments.bench.generate_speed [--runs 3]

Each is the median of several runs on this machine; the machine and the date are printed with them.
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
from pathlib import Path

from stickerforge.config.resolve import resolve
from stickerforge.config.schema import GenerateConfig
from stickerforge.generation.image_writer import save_image
from stickerforge.generation.inference import load, sample_jobs
from stickerforge.generation.plan import plan_generation
from stickerforge.generation.sampler import guidance_params, sampling_params
from stickerforge.runtime.console import Console

GENERATE = ["generate", "cat astronaut", "--style", "sticker", "--offline", "--quiet"]
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
            "prompt": ["cat astronaut"],
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


def processor_name() -> str:
    """The processor's name, where the system says it."""
    info = Path("/proc/cpuinfo")
    result = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return result[1] if result else platform.processor()


def main(runs: int) -> None:
    """Measure and print."""
    print(
        f"{processor_name()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, {dt.date.today()}"
    )
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
    main(parser.parse_args().runs)
