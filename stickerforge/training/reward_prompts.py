"""The prompts of `tailor reward`: those that are trained on, and others that measure."""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stickerforge.config.schema import TailorRewardConfig
from stickerforge.data.prompt_bank import normalize
from stickerforge.data.prompts import read_prompts
from stickerforge.errors import InputError
from stickerforge.evaluation.statistics import MIN_PROMPTS
from stickerforge.runtime.console import Console
from stickerforge.runtime.text import plural

MIN_CHOSEN = 4  # pictures that a LoRA is trained on; of fewer it learns these pictures


@dataclass(frozen=True)
class RewardPrompts:
    """Two lists without a prompt in common, each in an order that the file's does not change."""

    training: tuple[str, ...]
    held_out: tuple[str, ...]


def read_reward_prompts(config: TailorRewardConfig, console: Console) -> RewardPrompts:
    """The prompts of a call.

    Raises:
        InputError: they cannot be read, or are too few.
    """
    if not config.prompts:
        raise InputError("there are no prompts to draw", "give --prompts FILE, one prompt a line")
    prompts = distinct_prompts(config.prompts, console)
    if config.held_out.file:
        held_out = distinct_prompts(config.held_out.file, console)
        keys = set(map(key_of, held_out))
        training = [prompt for prompt in prompts if key_of(prompt) not in keys]
        if shared := len(prompts) - len(training):
            console.warn(
                f"{plural(shared, 'prompt')} of {config.prompts} measure, as"
                f" {config.held_out.file} has them: they are not trained on"
            )
        check_count(len(training), MIN_CHOSEN, config.prompts, "to train on")
        check_count(len(held_out), MIN_PROMPTS, config.held_out.file, "to measure")
        return RewardPrompts(tuple(training), tuple(held_out))
    check_count(len(prompts), MIN_CHOSEN + MIN_PROMPTS, config.prompts, "to train and to measure")
    count = max(MIN_PROMPTS, math.ceil(config.held_out.share * len(prompts)))
    count = min(count, len(prompts) - MIN_CHOSEN)
    return RewardPrompts(tuple(prompts[count:]), tuple(prompts[:count]))


def check_count(count: int, least: int, place: str, what: str) -> None:
    """Make sure that there are prompts enough.

    Raises:
        InputError: there are not.
    """
    if count < least:
        raise InputError(
            f"{place} holds {plural(count, 'prompt')} {what}, and at least {least} are needed",
            "add others; those that say the same count once",
        )


def distinct_prompts(place: str, console: Console) -> list[str]:
    """The prompts of a file, each once, in an order that depends on their words alone.

    Raises:
        InputError: it cannot be read.
    """
    rows = read_prompts(Path(place), styles=None)
    if any(row.negative or row.seed is not None or row.count or row.style for row in rows):
        console.warn("negative, seed, count and style of the prompts do nothing here")
    return by_hash(" ".join(row.prompt.split()) for row in rows)


def by_hash(prompts: Iterable[str]) -> list[str]:
    """Prompts by the hashes of their words; of those that say the same the first by spelling."""
    different: dict[str, str] = {}
    for prompt in sorted(prompts):
        different.setdefault(key_of(prompt), prompt)
    return [different[key] for key in sorted(different, key=digest)]


def key_of(prompt: str) -> str:
    """What prompts that say the same have in common."""
    return normalize(prompt) or prompt


def digest(text: str) -> str:
    """Its sha256."""
    return hashlib.sha256(text.encode()).hexdigest()


def prompts_digest(prompts: Sequence[str]) -> str:
    """Changes with the prompts."""
    return digest("\n".join(prompts))[:16]
