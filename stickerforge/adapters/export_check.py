"""Whether an exported image adapter does in plain diffusers what it does here.

Shapes: B images; C, H, W latent channels, rows, columns; P patches of a picture; E width of its
features.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from stickerforge.adapters.image_export import REPORT
from stickerforge.adapters.image_prompt import attach_image_prompt
from stickerforge.adapters.image_prompt_weights import ImagePromptShape, ImagePromptWeights
from stickerforge.errors import EnvironmentFault, InputError, StickerforgeError
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.weights import find_variant
from stickerforge.runtime.files import write_whole

PROGRAM = Path(__file__).with_name("diffusers_pass.py")
TOLERANCE = 1e-5  # of a prediction, whose values are of the order of 1
BATCH, TIMESTEP, PATCHES, SEED = 2, 500, 17, 0
TEXTS = ("a dog", "two red apples on a table")
OUT_OF_MEMORY = ("MemoryError", "can't allocate memory")


@dataclass(frozen=True)
class Pass:
    """One pass of a model with an image adapter.

    Args:
        inputs: as `diffusers_pass` takes them.
        prediction: what comes out here, (B, C, H, W), float32.
    """

    inputs: dict[str, Tensor]
    prediction: Tensor


@torch.inference_mode()
def pass_here(model: DiffusionModel, weights: ImagePromptWeights, source: str) -> Pass:
    """A pass with the adapter as this program attaches it, on noise and random features.

    Args:
        source: what to call the adapter in an error.

    Raises:
        InputError: it is for another model, or makes predictions that are not finite.
    """
    random = torch.Generator().manual_seed(SEED)
    side = 2 * model.multiple  # in pixels: nothing is too small to be halved
    noisy = torch.randn((BATCH, *model.latent_shape(side)), generator=random)
    features = torch.randn((BATCH, *features_shape(weights.shape)), generator=random)
    timestep, text = torch.tensor(TIMESTEP), model.encode_prompt(TEXTS)
    inputs = {
        "noisy": noisy,
        "timestep": timestep,
        "hidden": text["hidden"],
        "image_embeds": features[:, None],  # one reference
    }
    if "pooled" in text:
        frames = torch.tensor([side, side, 0, 0, side, side]).expand(BATCH, 6)
        text = text.including("frames", frames)
        inputs |= {"text_embeds": text["pooled"], "time_ids": frames}
    adapter = attach_image_prompt(model, weights, source)
    adapter.weigh([1.0])
    adapter.activate(1.0)
    tokens = adapter.tokens(features)[:, None]
    prediction = model.predict(noisy, timestep, text.including("image_tokens", tokens))
    if not bool(prediction.isfinite().all()):
        raise InputError(
            f"{model.card.title} predicts what is not finite with the image adapter {source}",
            "fetch or train it again",
        )
    return Pass({name: value.contiguous() for name, value in inputs.items()}, prediction)


def features_shape(shape: ImagePromptShape) -> tuple[int, ...]:
    """The shape of what an adapter reads of one picture: (E,), or (P, E) for "plus"."""
    return (shape.features,) if shape.variant == "base" else (PATCHES, shape.features)


def check_in_diffusers(here: Pass, model: Path, pipeline: str, file: Path, source: str) -> float:
    """Make sure that a fresh process of plain diffusers makes the same pass with a file.

    Args:
        model: the folder of the base model.
        pipeline: the class of diffusers that it is of.
        file: of the adapter.
        source: what to call the adapter in an error.

    Returns:
        The largest difference of two values.

    Raises:
        StickerforgeError: it cannot be loaded there, or does something else.
        EnvironmentFault: there is too little memory, or no room on the disk.
    """
    with TemporaryDirectory() as folder:
        inputs, output = (Path(folder) / f"{name}.safetensors" for name in ("inputs", "output"))
        write_whole(inputs, save(here.inputs), durable=False)
        variant, place = find_variant(model / "unet"), file.parent.resolve()
        words = [model.resolve(), variant, pipeline, place, file.name, inputs, output]
        run_program([str(word) for word in words], source)
        there = load_file(output)["prediction"]
    difference = largest_difference(here.prediction, there)
    if not difference <= TOLERANCE:
        raise StickerforgeError(
            f"the export of {source} does not do in diffusers what it does here (predictions differ"
            f" by {difference:.2g}), and was not kept",
            REPORT,
        )
    return difference


def run_program(words: list[str], source: str) -> None:
    """Run `diffusers_pass` in a process of its own, without a connection.

    Raises:
        StickerforgeError: it failed.
        EnvironmentFault: it had too little memory, or was ended from outside.
    """
    try:
        subprocess.check_output(
            [
                sys.executable or "python",
                "-P",
                str(PROGRAM),
                *words,
            ],  # -P: nothing beside it counts
            env=os.environ | {"HF_HUB_OFFLINE": "1", "DIFFUSERS_DISABLE_REMOTE_CODE": "1"},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    except subprocess.CalledProcessError as error:
        raise program_fault(error.returncode, error.output, source) from None


def program_fault(code: int, output: str, source: str) -> StickerforgeError:
    """The error of a program that failed; of the machine's where it was ended from outside.

    Args:
        code: how it ended: below 0 the number of a signal.
        output: what it said, the reason last.
    """
    reason = (output.strip().splitlines() or ["no reason given"])[-1][:200]
    what = f"the check of the export of {source} in diffusers"
    if any(phrase in reason for phrase in OUT_OF_MEMORY):
        return EnvironmentFault(f"{what} ran out of memory", "close other programs")
    if code < 0:
        return EnvironmentFault(
            f"{what} was ended by signal {-code}", "see whether there is memory for it"
        )
    return StickerforgeError(
        f"diffusers cannot load the export of {source}, which was not kept: {reason}", REPORT
    )


def largest_difference(one: Tensor, other: Tensor) -> float:
    """The largest difference of two values at one place; infinite for other shapes, NaN for NaN."""
    if one.shape != other.shape:
        return float("inf")
    return float((one - other).abs().max())
