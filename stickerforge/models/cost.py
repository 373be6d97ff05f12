"""About how long and how much memory a model takes, from the sizes of its parts alone.

Estimates for `--dry-run`: right within a factor of two or three, and announced as "about".
"""

import os
from dataclasses import dataclass
from pathlib import Path

from stickerforge.models.card import ModelCard
from stickerforge.models.families.specs import family_spec
from stickerforge.models.network_config import read_network_config
from stickerforge.runtime.bounded_files import open_regular

START_S = 5.0  # importing the libraries
BASE_BYTES = 450_000_000  # the libraries themselves
CPU_FLOPS = 45e9  # per second and core, as measured on convolutions
DECODER_BYTES = 9000  # for each pixel that is decoded with a gradient
FIRST_CHANNELS = 128  # of the autoencoders for which that was measured
SHARE_OF_LEVEL = 0.46  # of its positions that an average weight of an autoencoder works on, a level
SHARE_OF_DECODER = 0.6  # of an autoencoder's weights
PASSES_OF_DECODER = 0.4 + 3 * SHARE_OF_DECODER  # of all weights: encoded, decoded and twice back
CUDA_FLOPS = 100e12  # per second and device


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
    consistency: bool = False,
    beside: float = 0,
) -> Cost:
    """The cost of a call of `generate`.

    Args:
        consistency: whether adapters are guided by the base, which takes one pass more.
        beside: weights of a ControlNet that goes along.
    """
    spec = family_spec(card.folder)
    denoiser = card.folder / spec.denoiser
    bytes_each = 2 if is_half(denoiser) else 4
    weights = count_weights(denoiser)
    passes = pictures * steps * ((1 if guidance == 1 else 2) + consistency)
    flops = 2 * (weights + beside) * spec.positions(pixels) * passes
    speed = CUDA_FLOPS if cuda else CPU_FLOPS * (os.cpu_count() or 1)
    working = 2 if cuda else 4  # bytes of a weight
    held = working / bytes_each * model_bytes(card) + working * beside
    return Cost(
        START_S + flops / speed + 0.02 * pictures,
        int(BASE_BYTES + held + 4000 * pixels**2 / 4),
    )


def training_cost(
    card: ModelCard, *, steps: int, batch: int, pixels: int, dco: bool, cuda: bool
) -> Cost:
    """The cost of training: passes forwards and backwards, and the base's own with DCO."""
    passes = batch * (3 if dco else 2)
    sampling = sampling_cost(
        card, pictures=1, steps=steps * passes, guidance=1, pixels=pixels, cuda=cuda
    )
    denoiser = card.folder / family_spec(card.folder).denoiser
    activations = 12 * batch * weights_bytes(denoiser) // 10
    return Cost(sampling.seconds, sampling.memory_bytes + activations)


def reward_cost(
    card: ModelCard,
    *,
    steps: int,
    batch: int,
    at_once: int,
    denoising_steps: int,
    gradient_every: int,
    guidance: float,
    pixels: int,
    cuda: bool,
) -> Cost:
    """The cost of training by a reward: pictures are drawn, and a few steps done twice and back.

    Args:
        at_once: pictures of a batch that are computed together.
        gradient_every: every how many denoising steps a gradient is taken.
    """
    gradients = -(-denoising_steps // gradient_every)
    drawing = sampling_cost(
        card,
        pictures=1,
        steps=steps * batch * (denoising_steps + 3 * gradients),
        guidance=guidance,
        pixels=pixels,
        cuda=cuda,
    )
    spec = family_spec(card.folder)
    passes = 1 if guidance == 1 else 2
    denoiser = 12 * passes * weights_bytes(card.folder / spec.denoiser) // 10
    decoder = DECODER_BYTES * pixels**2
    return Cost(drawing.seconds, drawing.memory_bytes + at_once * (denoiser + decoder))


def decoder_cost(
    card: ModelCard, *, steps: int, batch: int, at_once: int, pixels: int, cuda: bool
) -> Cost:
    """The cost of training the decoder of an autoencoder: encoded, decoded, and back.

    Args:
        at_once: pictures of a batch that are computed together.
    """
    folder = card.folder / "vae"
    config = read_network_config(folder)
    weights = count_weights(folder)
    positions = pixels**2 * SHARE_OF_LEVEL**config.halvings
    flops = 2 * weights * positions * PASSES_OF_DECODER * steps * batch
    speed = CUDA_FLOPS if cuda else CPU_FLOPS * (os.cpu_count() or 1)
    activations = DECODER_BYTES * config.block_out_channels[0] / FIRST_CHANNELS * pixels**2
    # in float32: all weights; the new decoder, its gradients and moments, and all of it once more
    # while a checkpoint is written
    memory = BASE_BYTES + 4 * weights * (1 + 8 * SHARE_OF_DECODER) + at_once * activations
    return Cost(START_S + flops / speed, int(memory))


def model_bytes(card: ModelCard) -> int:
    """Bytes of the weights of all parts of a model."""
    parts = family_spec(card.folder).weight_parts
    return sum(weights_bytes(card.folder / part) for part in parts)


def weights_bytes(folder: Path) -> int:
    """Bytes of the safetensors files that would be loaded; one precision where there are two."""
    files = [path for path in folder.glob("*.safetensors") if ".fp16." not in path.name]
    return sum(path.stat().st_size for path in files or folder.glob("*.safetensors"))


def count_weights(folder: Path) -> float:
    """How many weights the safetensors files hold that would be loaded."""
    return weights_bytes(folder) / (2 if is_half(folder) else 4)


def is_half(folder: Path) -> bool:
    """Whether the weights are stored in 16 bits, as the first file's header says."""
    for path in sorted(folder.glob("*.safetensors")):
        with open_regular(path) as file:
            length = int.from_bytes(file.read(8), "little")
            return b'F16"' in file.read(min(length, 1 << 20))  # F16 or BF16
    return False
