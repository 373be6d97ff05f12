"""Prompts and a reward as what a model is tuned on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stickerforge.errors import InputError
from stickerforge.evaluation.aspects import find_direction
from stickerforge.generation.unread_text import warn_of_unread_text
from stickerforge.models.common_direction import CommonDirection, direction_file_content
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.prompt_rewards import PromptReward, load_prompt_reward
from stickerforge.objectives.preference import preference
from stickerforge.runtime.console import Console
from stickerforge.training.methods.base import TrainingMethod
from stickerforge.training.methods.preference_tuning import PreferenceTuning, RewardSettings
from stickerforge.training.state import TrainState
from stickerforge.training.tailor_estimate import guidance_of, pictures_at_once
from stickerforge.training.tailor_plan import TailorPlan
from stickerforge.training.tuning_data import OTHER_DIRECTION
from stickerforge.training.tuning_source import spread

DIRECTION = "direction.json"
SCORED = 16  # pictures that are judged at once


@dataclass
class RewardSource:
    """Prompts for which pictures are drawn and judged. See `TuningSource`.

    Args:
        reward, direction: what judges; known after `prepare`.
    """

    plan: TailorPlan
    prompts: list[str]
    digest: str = ""
    what: str = "prompts or another reward"
    objective: str = "reward"
    reward: PromptReward | None = field(default=None, repr=False)
    direction: CommonDirection | None = field(default=None, repr=False)

    def prepare(self, model: DiffusionModel, console: Console, *, offline: bool) -> None:
        """Load the reward, and the direction that it shares between all prompts.

        Raises:
            InputError: the reward cannot be used, or nothing says what its prompts share.
            EnvironmentFault: it cannot be had here.
        """
        plan = self.plan
        self.reward = load_prompt_reward(
            plan.config.preference.model,
            device=plan.config.device,
            offline=offline,
            say=console.say,
        )
        steps, most = plan.config.preference.steps, model.noise_process.timesteps
        if steps > most:
            raise InputError(
                f"preference.steps={steps}, and {plan.card.title} has {most} timesteps",
                f"give {most} or fewer",
            )
        self.direction = self.find_direction(plan.config.preference.direction, self.reward, console)
        own = model.long_prompts
        if plan.long_prompts:
            model.long_prompts = plan.long_prompts
        warn_of_unread_text(model, self.prompts, "a prompt", console)
        model.long_prompts = own
        described = [self.prompts, self.reward.digest, self.direction.vector]
        self.digest = hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16]

    def find_direction(self, place: str, reward: PromptReward, console: Console) -> CommonDirection:
        """See `aspects.find_direction`.

        Raises:
            InputError: it is that of another reward, or there are too few captions.
        """
        try:
            return find_direction(place, reward, self.prompts, console)
        except InputError as error:
            if place and Path(place).suffix == ".json":
                raise
            raise InputError(error.message, f"{error.hint}; {OTHER_DIRECTION}") from None

    def files(self) -> Mapping[str, bytes]:
        """The direction."""
        assert self.direction is not None
        return {DIRECTION: direction_file_content(self.direction)}

    def validation_prompts(self, count: int) -> Sequence[str]:
        """Some of the prompts."""
        return spread(self.prompts, count)

    def method(self, state: TrainState) -> TrainingMethod[Any]:
        """See `PreferenceTuning`."""
        assert self.reward is not None and self.direction is not None
        plan = self.plan
        preference_config = plan.config.preference
        settings = RewardSettings(
            self.direction.tensor,
            preference_config.weight,
            preference_config.steps,
            preference_config.gradient_every,
            guidance_of(plan),
            preference_config.crop,
            plan.config.training.resolution,
            pictures_at_once(plan),
        )
        return PreferenceTuning(
            state, self.prompts, self.reward, settings, plan.training, seed=plan.config.seed
        )

    @torch.no_grad()
    def score(
        self, pictures: Sequence[NDArray[np.float32]], prompts: Sequence[str]
    ) -> Mapping[str, float]:
        """Both parts of the reward of pictures (4, H, W) for their prompts, on average."""
        assert self.reward is not None and self.direction is not None
        pixels = torch.from_numpy(np.stack(pictures))
        parts = torch.split(pixels, SCORED)
        images = torch.cat([self.reward.encode_pixels(part) for part in parts])
        rewards = preference(images, self.reward.encode_texts(prompts), self.direction.tensor, 1.0)
        return {
            "relevant": float(rewards.relevant.mean()),
            "irrelevant": float(rewards.irrelevant.mean()),
        }

    def provenance(self) -> Mapping[str, Any]:
        """The reward and its direction."""
        assert self.reward is not None and self.direction is not None
        return {
            "reward": f"{self.reward.name} {self.reward.digest}",
            "direction": self.direction.sha256,
            "prompts": len(self.prompts),
        }
