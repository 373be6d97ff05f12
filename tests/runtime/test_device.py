import pytest
import torch

from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.runtime.device import default_dtype, memory_fault, resolve_device


@pytest.fixture
def machine(monkeypatch):
    """Sets which devices there are: the number of CUDA devices, and whether there is MPS."""

    def set_devices(cuda: int, mps: bool) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return set_devices


@pytest.mark.parametrize(
    ("cuda", "mps", "name"),
    [(1, True, "cuda"), (1, False, "cuda"), (0, True, "mps"), (0, False, "cpu")],
)
def test_auto_takes_the_fastest_there_is(machine, cuda, mps, name):
    machine(cuda, mps)
    assert resolve_device("auto") == torch.device(name)


def test_a_device_by_its_number(machine):
    machine(2, False)
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(EnvironmentFault, match="no device cuda:2"):
        resolve_device("cuda:2")


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_a_device_that_is_not_here(machine, name):
    machine(0, False)
    with pytest.raises(EnvironmentFault, match=f"no device {name}"):
        resolve_device(name)


@pytest.mark.parametrize("name", ["gpu", "cpu:0", "mps:0", "cuda:", "cuda:1234", ""])
def test_a_device_of_no_kind(name):
    with pytest.raises(InputError, match="unknown device"):
        resolve_device(name)


def test_number_formats():
    assert default_dtype(torch.device("cuda")) == torch.bfloat16
    assert default_dtype(torch.device("cpu")) == torch.float32


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("DefaultCPUAllocator: not enough memory"),
    ],
)
def test_out_of_memory_is_recognised(error):
    fault = memory_fault(error, "use less")
    assert fault is not None and str(fault) == "out of memory; use less"


def test_other_errors_are_not_out_of_memory():
    assert memory_fault(RuntimeError("shapes differ")) is None
