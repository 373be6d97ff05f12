"""Device and number format, chosen once."""

import re

import torch

from stickerforge.errors import EnvironmentFault, InputError


def resolve_device(name: str) -> torch.device:
    """The device of this name; "auto" takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        InputError: there is no such kind of device.
        EnvironmentFault: there is, but not on this machine.
    """
    if name == "auto":
        name = (
            "cuda"
            if torch.cuda.is_available()
            else "mps"
            if torch.backends.mps.is_available()
            else "cpu"
        )
    kind, _, index = name.partition(":")
    if not re.fullmatch(r"cpu|mps|cuda(:\d{1,3})?", name):
        raise InputError(f"unknown device {name!r}", "give auto, cpu, cuda, cuda:1 or mps")
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available[kind] or (
        kind == "cuda" and index and int(index) >= torch.cuda.device_count()
    ):
        raise EnvironmentFault(
            f"there is no device {name} on this machine",
            "use --device cpu, or see `stickerforge doctor`",
        )
    return torch.device(name)


def default_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 on CUDA; float32 elsewhere, where bfloat16 is slower on most machines."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def memory_fault(
    error: BaseException,
    hint: str = "lower sampling.batch or sampling.pixels, or use a smaller model",
) -> EnvironmentFault | None:
    """What to say, if this is how torch says that memory ran out; CPU and GPU say it differently."""
    text = str(error)
    if (
        isinstance(error, MemoryError | torch.OutOfMemoryError)
        or "not enough memory" in text
        or "can't allocate memory" in text
    ):
        return EnvironmentFault("out of memory", hint)
    return None
