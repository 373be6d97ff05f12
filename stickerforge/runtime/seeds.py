"""Randomness as a function of (seed, purpose, step, item): the same in any order of work."""

import hashlib
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derive_seed(seed: int, purpose: str, step: int = 0, item: int = 0) -> int:
    """A 63-bit seed that depends on all four and on nothing else."""
    digest = hashlib.sha256(f"{seed}|{purpose}|{step}|{item}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, purpose: str, step: int = 0, item: int = 0) -> "torch.Generator":
    """A generator on the CPU, so that numbers do not depend on the device they are moved to."""
    import torch

    return torch.Generator().manual_seed(derive_seed(seed, purpose, step, item))


def random_seed() -> int:
    """A seed below a million for a call without one: short enough to type."""
    return secrets.randbelow(10**6)
