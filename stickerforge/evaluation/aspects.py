"""Aspects of quality: each gives a number to pictures for their prompts, the higher the better.

Shapes: N pictures.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from stickerforge.data.prompts import read_prompts
from stickerforge.errors import InputError
from stickerforge.evaluation.aspect_names import AspectName
from stickerforge.evaluation.metrics.prompt_claims import parse_claims
from stickerforge.evaluation.validity import validity
from stickerforge.models.common_direction import (
    CommonDirection,
    check_direction,
    fit_direction,
    read_direction,
    shipped_direction,
)
from stickerforge.models.judge.model import Judge, load_judge
from stickerforge.models.prompt_rewards import PromptReward, load_prompt_reward
from stickerforge.models.rewards import Reward, load_reward, score_pictures
from stickerforge.objectives.preference import preference
from stickerforge.runtime.console import Console
from stickerforge.stickers.alpha import premultiply
from stickerforge.stickers.color import WHITE

FUNCTION = "function"  # how the digest of one begins
Scores = NDArray[np.float64]
Values = Sequence[float] | Scores
# From pictures (RGBA) and their prompts to a number for each.
Scorer = Callable[[Sequence[Image.Image], Sequence[str]], Values]


class Aspect(Protocol):
    """A quality of pictures.

    Args:
        name: "alignment", or "alignment@judge" where another judge measures.
        digest: changes with what the scores come from.
    """

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def digest(self) -> str:
        """Changes with what the scores come from."""

    def applies(self, prompt: str) -> bool:
        """Whether pictures for a prompt have this quality at all."""

    def scores(self, pictures: Sequence[Image.Image], prompts: Sequence[str]) -> Values:
        """A number for each picture, RGBA of any size; the prompts are such that it applies to."""


@dataclass(frozen=True)
class Alignment:
    """How well a picture fits what its prompt says: the text-relevant part of a reward.

    What all prompts share is taken out, so that a picture is not liked whatever it shows
    (arXiv:2410.11817).
    """

    name: str
    reward: PromptReward
    direction: CommonDirection

    @property
    def digest(self) -> str:
        """Changes with the weights and the direction."""
        return f"{self.reward.digest}-{self.direction.sha256[:8]}"

    def applies(self, prompt: str) -> bool:
        """See Aspect."""
        return bool(prompt.strip())

    @torch.inference_mode()
    def scores(self, pictures: Sequence[Image.Image], prompts: Sequence[str]) -> Scores:
        """Cosines with the text-relevant part of the prompts, (N,)."""
        planes = [premultiply(np.asarray(picture.convert("RGBA"))) for picture in pictures]
        vectors = [
            self.reward.encode_pixels(torch.from_numpy(each.transpose(2, 0, 1).copy())[None])
            for each in planes
        ]
        texts = self.reward.encode_texts(prompts)
        relevant = preference(torch.cat(vectors), texts, self.direction.tensor, 0.0).relevant
        return np.asarray(relevant.cpu().double().numpy())


@dataclass(frozen=True)
class StyleFit:
    """The probability that a judge gives the style that the prompt names."""

    name: str
    judge: Judge

    @property
    def digest(self) -> str:
        """Changes with the judge."""
        return self.judge.sha256[:16]

    def style(self, prompt: str) -> str:
        """The style that a prompt names; "" for none."""
        return parse_claims(prompt, {}, self.judge.colours, self.judge.styles).style

    def applies(self, prompt: str) -> bool:
        """See Aspect: to prompts that name a style."""
        return bool(self.style(prompt))

    def scores(self, pictures: Sequence[Image.Image], prompts: Sequence[str]) -> Scores:
        """Probabilities, (N,)."""
        readings = self.judge.read(self.judge.pictures(pictures, WHITE)).style.softmax(1)
        places = [self.judge.styles.index(self.style(prompt)) for prompt in prompts]
        chosen = readings[torch.arange(len(places)), torch.tensor(places)]
        return np.asarray(chosen.double().numpy())


@dataclass(frozen=True)
class Validity:
    """Whether a picture is a valid sticker; see `validity`."""

    name: str = "validity"
    digest: str = "1"  # of what `validity` computes

    def applies(self, prompt: str) -> bool:
        """See Aspect."""
        return True

    def scores(self, pictures: Sequence[Image.Image], prompts: Sequence[str]) -> list[float]:
        """0 to 1 for each."""
        return [validity(np.asarray(picture.convert("RGBA"))) for picture in pictures]


@dataclass(frozen=True)
class RewardAspect:
    """What a reward of `evaluate` gives, on weights that its user has."""

    name: str
    reward: Reward

    @property
    def digest(self) -> str:
        """Changes with the weights."""
        return self.reward.digest

    def applies(self, prompt: str) -> bool:
        """See Aspect."""
        return bool(prompt.strip()) or not self.reward.needs_text

    def scores(self, pictures: Sequence[Image.Image], prompts: Sequence[str]) -> Scores:
        """See `rewards.score_pictures`."""
        return score_pictures(self.reward, pictures, prompts)


@dataclass(frozen=True)
class CustomAspect:
    """A function of the user's; the digest is its name, as nothing tells whether it changed."""

    name: str
    function: Scorer

    @property
    def digest(self) -> str:
        """The name."""
        return f"{FUNCTION} {self.name}"

    def applies(self, prompt: str) -> bool:
        """See Aspect."""
        return True

    def scores(self, pictures: Sequence[Image.Image], prompts: Sequence[str]) -> Values:
        """What the function gives."""
        return self.function(pictures, prompts)


def has_functions(digests: Mapping[str, str]) -> bool:
    """Whether one of some aspects, whose digests are given, is a function of the user's."""
    return any(digest.startswith(f"{FUNCTION} ") for digest in digests.values())


def checked_scores(
    aspect: Aspect, pictures: Sequence[Image.Image], prompts: Sequence[str]
) -> list[float]:
    """A finite number for each picture.

    Raises:
        InputError: the aspect gives something else.
        EnvironmentFault: it runs out of memory.
    """
    values: Any = aspect.scores(pictures, prompts)
    try:
        scores = [float(value) for value in values]
    except (TypeError, ValueError):
        raise no_numbers(aspect, f"what it returns is no list of numbers: {values!r:.60}") from None
    if len(scores) != len(pictures):
        raise no_numbers(aspect, f"{len(scores)} values for {len(pictures)} pictures")
    for score, prompt in zip(scores, prompts, strict=True):
        if not math.isfinite(score):
            raise no_numbers(aspect, f"{score} for {prompt[:60]!r}")
    return scores


def no_numbers(aspect: Aspect, reason: str) -> InputError:
    """The error of an aspect that gives no number for a picture."""
    return InputError(
        f"the aspect {aspect.name!r} gives no number for each picture: {reason}",
        "mend it, or leave it out",
    )


def load_aspects(
    names: Sequence[AspectName],
    given: Mapping[str, Scorer],
    console: Console,
    *,
    model: str,
    direction: str,
    device: str,
    offline: bool,
) -> list[Aspect]:
    """The aspects of some names.

    Args:
        given: functions of the user's by name.
        model, direction: what measures alignment; see `find_direction`.
        device: as `--device` names it.

    Raises:
        InputError: weights are something else.
        EnvironmentFault: they cannot be had here.
    """

    def load(name: AspectName) -> Aspect:
        if name.name in given:
            return CustomAspect(name.name, given[name.name])
        if name.name == "alignment":
            place = name.judge or model
            reward = load_prompt_reward(place, device=device, offline=offline, say=console.say)
            own = find_direction("" if name.judge else direction, reward, [], console)
            return Alignment(name.title, reward, own)
        if name.name == "style":
            return StyleFit(name.title, load_judge("judge" if name.judge else "second"))
        if name.name == "validity":
            return Validity()
        reward_model = load_reward(
            name.name, name.place, device=device, offline=offline, say=console.say
        )
        return RewardAspect(name.name, reward_model)

    return [load(name) for name in names]


def find_direction(
    place: str, reward: PromptReward, prompts: Sequence[str], console: Console
) -> CommonDirection:
    """The direction that is named, else the one that ships, else that of the prompts.

    Args:
        place: a file of captions or of a direction; "" for none.

    Raises:
        InputError: it is that of another reward, or there are too few captions.
    """
    if place and Path(place).suffix == ".json":
        direction = read_direction(Path(place))
        check_direction(direction, reward)
        return direction
    if not place and (shipped := shipped_direction(reward)):
        return shipped
    rows = read_prompts(Path(place), styles=None) if place else []
    captions = [row.prompt for row in rows] or prompts
    with console.progress("reading captions", len(set(captions))) as advance:
        return fit_direction(reward, captions, on_batch=advance)
