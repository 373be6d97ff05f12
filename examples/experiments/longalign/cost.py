"""What long prompts cost: paired timings on this machine, and the peak memory of a reward step.

Prompts that fit are timed against the encoder without anything of ours around it; a denoising step
and a training step with 240 tokens against one with 77. Each pair is measured in turns, so that
what else the machine does meets both. Memory is that of processes of their own.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from examples.experiments.longalign.pictures import MODEL
from stickerforge.config.schema import TrainingConfig
from stickerforge.data.captions import Caption
from stickerforge.evaluation.statistics import bca_interval
from stickerforge.models.common_direction import shipped_direction
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.long_prompts import LongPrompts
from stickerforge.models.prompt_rewards import load_prompt_reward
from stickerforge.models.registry import find_model, load_model
from stickerforge.training.batches import TrainingExample
from stickerforge.training.methods.caption_tuning import CaptionTuning
from stickerforge.training.methods.preference_tuning import PreferenceTuning, RewardSettings
from stickerforge.training.state import init_state
from stickerforge.training.trainer import accumulate

ROUNDS, BATCH = 30, 4
SHORT = "a red cat beside two blue birds on a green ground"
LONG = "A red cat sits beside two blue birds. The ground is green and the sky is blue. " * 8
TRAINING = TrainingConfig(
    steps=1, batch=BATCH, rank=32, layers="blocks", lr=1e-3, objective="plain", offset_noise=0.0
)
REWARD_BATCHES = ((4, 4), (4, 1), (1, 1))  # pictures of a step, and how many of them at once


def ratio(first: Callable[[], Any], second: Callable[[], Any], rounds: int) -> dict[str, Any]:
    """Seconds of the processor that both take, and the second by the first with its interval."""
    first(), second()
    seconds = []
    for number in range(rounds):
        pair = []
        for call in (first, second) if number % 2 else (second, first):
            start = time.process_time()
            call()
            pair.append(time.process_time() - start)
        seconds.append(pair if number % 2 else pair[::-1])
    times = np.array(seconds)
    logs = np.log(times[:, 1] / times[:, 0])
    low, high = bca_interval(logs) or (logs.mean(), logs.mean())
    return {
        "seconds": np.median(times, 0).tolist(),
        "ratio": [float(np.exp(value)) for value in (logs.mean(), low, high)],
    }


def mini() -> DiffusionModel:
    """The model that ships."""
    return load_model(find_model(MODEL), torch.device("cpu"), torch.float32)


@torch.inference_mode()
def prompt_costs(model: DiffusionModel) -> dict[str, Any]:
    """Encoding of a prompt that fits, and a denoising step of a long one."""
    encode: Any = model
    texts = {"77": model.encode_prompt([SHORT] * BATCH)}
    model.long_prompts = LongPrompts("longalign")
    texts["240"] = model.encode_prompt([LONG] * BATCH)
    model.long_prompts = LongPrompts("compat")
    noise = torch.randn((BATCH, *model.latent_shape(model.pixels)))
    step = torch.tensor(500)
    return {
        "encoding of what fits": ratio(
            lambda: encode.encode_windows([SHORT]), lambda: model.encode_prompt([SHORT]), 5 * ROUNDS
        ),
        "denoising step": ratio(
            lambda: model.predict(noise, step, texts["77"]),
            lambda: model.predict(noise, step, texts["240"]),
            ROUNDS,
        ),
    }


def training_cost() -> dict[str, Any]:
    """A step of training on captions of 240 tokens against one with 77."""
    methods = []
    for rule, caption in ((LongPrompts("cut"), SHORT), (LongPrompts("longalign"), LONG)):
        model = mini()
        model.long_prompts = rule
        shape = model.latent_shape(model.pixels)
        examples = [
            TrainingExample(
                str(number),
                Caption(caption, caption),
                torch.randn(shape),
                torch.rand(shape) / 9,
                (model.pixels, model.pixels, 0, 0, model.pixels, model.pixels),
            )
            for number in range(BATCH)
        ]
        state = init_state(model, {}, rank=32, layers="blocks", text_rank=0, seed=0)
        methods.append(
            CaptionTuning(state, examples, TRAINING, seed=0, caption_dropout=0.0, part=BATCH)
        )
    first, second = methods
    return ratio(lambda: accumulate(first, 0), lambda: accumulate(second, 0), ROUNDS)


def reward_step(batch: int, at_once: int) -> dict[str, float]:
    """Seconds of a step of training by the second judge, and the peak memory of this process."""
    model = mini()
    reward = load_prompt_reward("second")
    direction = shipped_direction(reward)
    assert direction is not None
    settings = RewardSettings(direction.tensor, 0.3, 50, 10, 2.0, 0.98, model.pixels, at_once)
    state = init_state(model, {}, rank=32, layers="blocks", text_rank=0, seed=0)
    config = replace(TRAINING, batch=batch)
    method = PreferenceTuning(state, [SHORT], reward, settings, config, seed=0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    accumulate(method, 0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": time.perf_counter() - start,
        "loaded_mb": before / 1024,
        "peak_mb": peak / 1024,
    }


def measure_costs() -> dict[str, Any]:
    """Everything; reward steps in processes of their own."""
    record: dict[str, Any] = prompt_costs(mini()) | {"training step": training_cost()}
    for batch, at_once in REWARD_BATCHES:
        code = (
            "import json; from examples.experiments.longalign.cost import reward_step;"
            f"print(json.dumps(reward_step({batch}, {at_once})))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        record[f"reward step of {batch}, {at_once} at once"] = json.loads(
            done.stdout.splitlines()[-1]
        )
    return record


def table(record: dict[str, Any]) -> list[str]:
    """The lines of RESULTS.md."""
    lines = ["| what | first | second | ratio (95 %) |", "| --- | --- | --- | --- |"]
    for name, found in record.items():
        if isinstance(found, dict) and "ratio" in found:
            first, second = found["seconds"]
            middle, low, high = found["ratio"]
            cells = f"{1000 * first:.2f} ms | {1000 * second:.2f} ms"
            lines.append(f"| {name} | {cells} | {middle:.3f} ({low:.3f} to {high:.3f}) |")
    lines += ["", "| what | seconds | loaded | at its peak |", "| --- | --- | --- | --- |"]
    for name, found in record.items():
        if isinstance(found, dict) and "peak_mb" in found:
            cells = f"{found['seconds']:.1f} | {found['loaded_mb']:.0f} MB | {found['peak_mb']:.0f}"
            lines.append(f"| {name} | {cells} MB |")
    return lines
