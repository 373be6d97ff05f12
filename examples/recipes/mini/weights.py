"""The weights that version 3 goes on from: a candidate beside the scripts, else what ships."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from examples.recipes.mini.checkpoint import checkpoint_step, load_checkpoint
from examples.recipes.mini.settings import CANDIDATE, DEVICE, MODEL


@dataclass
class Weights:
    """A model that a training begins with.

    Args:
        model: "unet" and "text", in float32.
        step: of version 3, 32 pictures each.
    """

    words: CLIPTokenizer
    model: nn.ModuleDict
    autoencoder: AutoencoderKL
    step: int


def load_newest(folder: Path = CANDIDATE) -> Weights:
    """The candidate where there is one, else the shipped weights.

    Always the shipped autoencoder and tokenizer.
    """
    candidate = (folder / "step.json").exists()
    source = folder / "step.json" if candidate else MODEL / "stickerforge.json"
    step = int(json.loads(source.read_text())["step"])
    model = load_candidate(folder, build_untrained()) if candidate else load_shipped()
    autoencoder = (
        AutoencoderKL.from_pretrained(MODEL / "vae", torch_dtype=torch.float32)
        .eval()
        .requires_grad_(False)
    )
    return Weights(
        CLIPTokenizer.from_pretrained(MODEL / "tokenizer"),
        model.to(DEVICE),
        autoencoder.to(DEVICE),
        step,
    )


def load_shipped() -> nn.ModuleDict:
    """The denoiser and its text encoder as they ship."""
    unet = UNet2DConditionModel.from_pretrained(MODEL / "unet", torch_dtype=torch.float32)
    return nn.ModuleDict(
        {
            "unet": unet,
            "text": CLIPTextModel.from_pretrained(MODEL / "text_encoder", dtype=torch.float32),
        }
    )


def build_untrained() -> nn.ModuleDict:
    """The same with fresh weights: of what ships only the configurations are read."""
    unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(MODEL / "unet"))
    return nn.ModuleDict(
        {
            "unet": unet,
            "text": CLIPTextModel(CLIPTextConfig.from_pretrained(MODEL / "text_encoder")),
        }
    ).float()


def load_candidate(folder: Path, model: nn.ModuleDict) -> nn.ModuleDict:
    """A model with the weights of a folder that `write_halves` wrote.

    Raises:
        SystemExit: its files are of different steps.
    """
    paths = sorted(folder.glob("weights-*.safetensors"))
    if (
        len(
            {checkpoint_step(path) for path in paths}
            | {json.loads((folder / "step.json").read_text())["step"]}
        )
        > 1
    ):
        raise SystemExit(f"the files of {folder} are of different steps: take the weights again")
    model.load_state_dict({key: value for path in paths for key, value in load_file(path).items()})
    return model


def write_candidate(checkpoint: Path, folder: Path = CANDIDATE) -> int:
    """The averaged weights of a checkpoint as a candidate; returns the step.

    Raises:
        SystemExit: the candidate that is there is further.
    """
    if (folder / "step.json").exists() and json.loads((folder / "step.json").read_text())[
        "step"
    ] > checkpoint_step(checkpoint):
        raise SystemExit(
            f"the candidate in {folder} is further than {checkpoint}: start goes on from it"
        )
    model = load_shipped()
    step = load_checkpoint(checkpoint, {"mean": model})
    write_halves(model, folder, step)
    return step


def write_halves(model: nn.ModuleDict, folder: Path, step: int) -> None:
    """Weights as float16 in two files, and step.json.

    Each appears whole or not at all, and knows its step.
    """
    tensors = {
        key: value.half() if value.is_floating_point() else value
        for key, value in model.state_dict().items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(split_halves(tensors)):
        path = folder / f"weights-{number}.safetensors"
        save_file(
            {key: value.contiguous().cpu() for key, value in part.items()},
            path.with_suffix(".partial"),
            {"step": str(step)},
        )
        path.with_suffix(".partial").rename(path)
    (folder / "step.json").write_text(json.dumps({"step": step}) + "\n")


def split_halves(tensors: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """Two parts of about one size, in order."""
    total, done, parts = sum(value.nbytes for value in tensors.values()), 0, [{}, {}]
    for key, value in tensors.items():
        parts[done * 2 >= total][key] = value
        done += value.nbytes
    return parts
