"""Checkpoints that are complete or not there at all, and from which a run ends in the same bytes.

Two files: the tensors, named after their step, and checkpoint.json, which points to them with their
sha256 and is written last. A kill in between leaves the previous checkpoint.
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from stickerforge.errors import InputError
from stickerforge.runtime.files import write_whole
from stickerforge.training.run_folder import CheckpointInfo, RunFolder


def write_checkpoint(run: RunFolder, info: CheckpointInfo, tensors: Mapping[str, Tensor]) -> None:
    """Write a checkpoint, then remove the one before.

    Raises:
        EnvironmentFault: the disk is full; the previous checkpoint is still there.
    """
    content = save({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()})
    path = run.checkpoint(info.step)
    write_whole(path, content)
    pointer = {"file": path.name, "sha256": hashlib.sha256(content).hexdigest()}
    write_pointer(run, pointer, info)
    for other in run.checkpoints():
        if other != path:
            with contextlib.suppress(OSError):
                other.unlink()


def write_pointer(run: RunFolder, pointer: Mapping[str, Any], info: CheckpointInfo) -> None:
    """Write the description of a checkpoint.

    Args:
        pointer: the file and its sha256.
    """
    write_whole(run.pointer, (json.dumps(dict(pointer) | vars(info), indent=1) + "\n").encode())


def update_pointer(run: RunFolder, info: CheckpointInfo) -> None:
    """Change what is said of the checkpoint that is there."""
    write_pointer(run, json.loads(run.pointer.read_text(encoding="utf-8")), info)


def read_checkpoint(run: RunFolder) -> dict[str, Tensor]:
    """The tensors of the checkpoint.

    Raises:
        InputError: they are missing or damaged.
    """
    pointer = json.loads(run.pointer.read_text(encoding="utf-8"))
    path = run.path / Path(str(pointer.get("file"))).name
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != pointer.get("sha256"):
            raise InputError(
                f"{path} is damaged: its sha256 is not the recorded one", "start over with --force"
            )
        return load(content)
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot read {path}: {error}", "start over with --force") from None


def remove_checkpoint(run: RunFolder) -> None:
    """Remove a run's checkpoint, its pointer first."""
    for path in (run.pointer, *run.checkpoints()):
        with contextlib.suppress(OSError):
            path.unlink()
