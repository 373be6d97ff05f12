"""Checkpoints that are complete or not there at all, and from which a run ends in the same bytes.

Two files: the tensors, named after their step, and checkpoint.json, which points to them with their
sha256 and is written last. A kill in between leaves the previous checkpoint.
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from stickerforge.errors import InputError
from stickerforge.runtime.bounded_files import read_bounded
from stickerforge.runtime.files import write_whole
from stickerforge.training.run_folder import CheckpointInfo, RunFolder

MAX_CHECKPOINT_BYTES = 20_000_000_000  # weights of a LoRA, their running mean and AdamW's state


def write_checkpoint(run: RunFolder, info: CheckpointInfo, tensors: Mapping[str, Tensor]) -> None:
    """Write a checkpoint, then remove the one before.

    Raises:
        EnvironmentFault: the disk is full; the previous checkpoint is still there.
    """
    content = save({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()})
    path = run.checkpoint(info.step)
    write_whole(path, content)
    write_pointer(run, info, path.name, hashlib.sha256(content).hexdigest())
    for other in run.checkpoints():
        if other != path:
            with contextlib.suppress(OSError):
                other.unlink()


def write_pointer(run: RunFolder, info: CheckpointInfo, file: str, sha256: str) -> None:
    """Write the description of a checkpoint and of the file of its tensors."""
    pointer = {"file": file, "sha256": sha256} | vars(info)
    write_whole(run.pointer, (json.dumps(pointer, indent=1) + "\n").encode())


def update_pointer(run: RunFolder, info: CheckpointInfo) -> None:
    """Change what is said of the checkpoint that is there; nothing where there is none."""
    if pointer := run.read_pointer():
        write_pointer(run, info, pointer.file, pointer.sha256)


def read_checkpoint(run: RunFolder) -> dict[str, Tensor]:
    """The tensors of the checkpoint.

    Raises:
        InputError: they are missing or damaged.
    """
    pointer = run.read_pointer()
    if pointer is None:
        raise InputError(f"cannot read {run.pointer}: it is gone", "start over with --force")
    path = run.path / pointer.file
    try:
        content = read_bounded(path, MAX_CHECKPOINT_BYTES)
        if hashlib.sha256(content).hexdigest() != pointer.sha256:
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
