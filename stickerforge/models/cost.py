"""About how long and how much memory a model takes, from the sizes of its parts alone.

Estimates for `--dry-run`: right within a factor of two or three, and said to be "about".
"""

import os
from dataclasses import dataclass
from pathlib import Path

from stickerforge.models.card import ModelCard

START_S = 5.0  # importing the libraries
BASE_BYTES = 450_000_000  # the libraries themselves
CPU_FLOPS, CUDA_FLOPS = (
    45e9,
    100e12,
)  # a second, per core and per device, as measured on convolutions
REUSE = 0.55  # share of positions of the full latent that an average weight works on


@dataclass(frozen=True)
class Cost:
    """Seconds for a whole call, peak bytes."""

    seconds: float
    memory_bytes: int


def sampling_cost(
    card: ModelCard,
    *,
    pictures: int,
    steps: int,
    guidance: float,
    pixels: int,
    cuda: bool,
    led: bool = False,
) -> Cost:
    """What a call will take.

    Args:
        led: whether adapters are led by the base, which takes one pass more.
    """
    unet = weights_bytes(card.folder / "unet")
    bytes_each = 2 if is_half(card.folder / "unet") else 4
    weights = unet / bytes_each
    positions = (pixels / 8) ** 2 * REUSE
    passes = pictures * steps * ((1 if guidance == 1 else 2) + led)
    flops = 2 * weights * positions * passes
    speed = CUDA_FLOPS if cuda else CPU_FLOPS * (os.cpu_count() or 1)
    everything = sum(weights_bytes(card.folder / part) for part in ("unet", "vae", "text_encoder"))
    working = (2 if cuda else 4) / bytes_each
    return Cost(
        START_S + flops / speed + 0.02 * pictures,
        int(BASE_BYTES + working * everything + 4000 * pixels**2 / 4),
    )


def training_cost(
    card: ModelCard, *, steps: int, batch: int, pixels: int, dco: bool, cuda: bool
) -> Cost:
    """What teaching will take: a pass forwards, one backwards for the inputs, and the base's own with DCO."""
    passes = batch * (3 if dco else 2)
    plain = sampling_cost(
        card, pictures=1, steps=steps * passes, guidance=1, pixels=pixels, cuda=cuda
    )
    activations = 12 * batch * weights_bytes(card.folder / "unet") // 10
    return Cost(plain.seconds, plain.memory_bytes + activations)


def weights_bytes(folder: Path) -> int:
    """Bytes of the safetensors files that would be loaded (of one precision, if a folder holds two)."""
    files = [path for path in folder.glob("*.safetensors") if ".fp16." not in path.name]
    return sum(path.stat().st_size for path in files or folder.glob("*.safetensors"))


def is_half(folder: Path) -> bool:
    """Whether the weights are stored in 16 bits, as the first file's header says."""
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            return b'"F16"' in file.read(min(length, 1 << 20))
    return False
