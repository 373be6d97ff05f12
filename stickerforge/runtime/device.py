"""Devices, their number formats, and how it shows that memory ran out."""

import re

import torch

from stickerforge.errors import EnvironmentFault, InputError


def resolve_device(name: str) -> torch.device:
    """The device of this name; "auto" is CUDA, else Apple's MPS, else the CPU.

    Raises:
        InputError: there is no such kind of device.
        EnvironmentFault: there is, but not on this machine.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(kind for kind in available if available[kind])
    if not re.fullmatch(r"cpu|mps|cuda(:\d{1,3})?", name):
        raise InputError(f"unknown device {name!r}", "give auto, cpu, cuda, cuda:1 or mps")
    kind, _, index = name.partition(":")
    if not available[kind] or (index and int(index) >= torch.cuda.device_count()):
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
    """The error to raise if this one means that memory ran out, else None.

    PyTorch reports it in different ways on the CPU and the GPU.
    """
    text = str(error)
    if (
        isinstance(error, MemoryError | torch.OutOfMemoryError)
        or "not enough memory" in text
        or "can't allocate memory" in text
    ):
        return EnvironmentFault("out of memory", hint)
    return None
