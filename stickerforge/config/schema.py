"""Every setting and its default: one frozen dataclass per command, and the only place that holds defaults."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

Format = Literal["png", "webp"]
Scheduler = Literal["model", "ddim", "euler", "dpm++"]


@dataclass(frozen=True)
class Sampling:
    """How a picture is denoised. None means: what the model recommends."""

    steps: int | None = None  # network evaluations with guidance count as one step
    guidance: float | None = None  # classifier-free guidance scale; 1 switches it off
    guidance_rescale: float | None = None  # share of the guided spread that is put back (arXiv:2305.08891)
    scheduler: Scheduler = "model"
    batch: int = 1  # pictures denoised together; always this many, the last ones padded
    pixels: int | None = None  # side of the square that is sampled, before it becomes the file's size


@dataclass(frozen=True)
class Output:
    """What is written, and where."""

    folder: str = "stickers"
    size: int = 512  # side of the file in pixels; 0 keeps the size that was sampled
    format: Format = "png"
    prompt: bool = True  # whether the picture remembers its prompt
    sheet: bool = True  # a contact sheet beside them, where there is more than one
    columns: int | None = None  # of the contact sheet; None makes it about square


@dataclass(frozen=True)
class GenerateConfig:
    """`stickerforge generate`."""

    prompt: tuple[str, ...] = ()
    prompts: str = ""  # a file of prompts: txt, csv or jsonl
    negative: str = ""
    style: str = ""
    model: str = "sticker-mini"
    count: int = 1  # pictures per prompt
    seed: int | None = None  # item i of a call uses seed + i; None draws one and prints it
    matting: str = "auto"  # "auto", "none", or the name of a matting model
    device: str = "auto"
    sampling: Sampling = field(default_factory=Sampling)
    output: Output = field(default_factory=Output)

    # Bounds that a value must keep, by dotted name: (lowest, highest).
    BOUNDS: ClassVar = {
        "count": (1, 10_000),
        "seed": (0, 2**63 - 1),
        "sampling.steps": (1, 1000),
        "sampling.guidance": (0.0, 50.0),
        "sampling.guidance_rescale": (0.0, 1.0),
        "sampling.batch": (1, 64),
        "sampling.pixels": (16, 2048),
        "output.size": (0, 4096),
        "output.columns": (1, 100),
    }
