"""Checkpoints that are there whole or not at all, and from which a run ends in the same bytes.

Two files: the tensors, named after their step, and checkpoint.json, which points to them with their sha256
and appears last. A kill in between leaves the previous checkpoint.
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from stickerforge.errors import InputError
from stickerforge.runtime.files import write_whole

POINTER = "checkpoint.json"


@dataclass(frozen=True)
class Mark:
    """What a checkpoint belongs to.

    Args:
        step: how many steps are done.
        settings: digest of everything that decides the result besides the pictures.
        pictures: digest of the pictures and their captions.
    """

    step: int
    settings: str
    pictures: str


def write_checkpoint(folder: Path, mark: Mark, tensors: Mapping[str, Tensor]) -> None:
    """Write a checkpoint, then drop the one before.

    Raises:
        EnvironmentFault: the disk is full; the previous checkpoint is still there.
    """
    content = save({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()})
    path = folder / f"checkpoint-{mark.step:06}.safetensors"
    write_whole(path, content)
    pointer = {"file": path.name, "sha256": hashlib.sha256(content).hexdigest()} | vars(mark)
    write_whole(folder / POINTER, (json.dumps(pointer, indent=1) + "\n").encode())
    for other in folder.glob("checkpoint-*.safetensors"):
        if other != path:
            with contextlib.suppress(OSError):
                other.unlink()


def read_mark(folder: Path) -> Mark | None:
    """What the checkpoint of a run belongs to; None where there is none yet.

    Raises:
        InputError: it is there and broken.
    """
    try:
        said = json.loads((folder / POINTER).read_text(encoding="utf-8"))
        return Mark(int(said["step"]), str(said["settings"]), str(said["pictures"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder / POINTER} is broken ({type(error).__name__})", "start over with --force"
        ) from None


def read_checkpoint(folder: Path) -> dict[str, Tensor]:
    """The tensors of the checkpoint.

    Raises:
        InputError: they are missing or damaged.
    """
    said = json.loads((folder / POINTER).read_text(encoding="utf-8"))
    path = folder / Path(str(said.get("file"))).name
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != said.get("sha256"):
            raise InputError(
                f"{path} is damaged: its sha256 is not the recorded one", "start over with --force"
            )
        return load(content)
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot read {path}: {error}", "start over with --force") from None


def drop_checkpoint(folder: Path) -> None:
    """Remove a run's checkpoint, its pointer first."""
    for path in (folder / POINTER, *folder.glob("checkpoint-*.safetensors")):
        with contextlib.suppress(OSError):
            path.unlink()


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The moments and counters of an optimizer by "optimizer/<parameter>/<name>"."""
    state = optimizer.state_dict()["state"]
    return {
        f"optimizer/{index}/{key}": torch.as_tensor(value)
        for index, entry in state.items()
        for key, value in entry.items()
    }


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` gave."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer/"):
            _, index, name = key.split("/")
            state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict(
        {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
    )
