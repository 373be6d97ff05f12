"""Training by a reward of pictures for prompts, in the part that is about the prompt.

The second stage of LongAlign (Liu et al., ICLR 2025, arXiv:2410.11817): pictures are drawn from
noise, judged, and the gradient goes back through the autoencoder and a few of the denoising steps.

Shapes: B pictures; C, H, W channels, rows, columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from stickerforge.adapters.kinds import LORA, AdapterKind
from stickerforge.adapters.lora_weights import AdapterWeights
from stickerforge.config.schema import TrainingConfig
from stickerforge.models.prompt_rewards import PromptReward, check_scores
from stickerforge.objectives.preference import preference, preference_loss
from stickerforge.runtime.seeds import derive_seed, generator
from stickerforge.sampling.guidance import prompt_guidance
from stickerforge.sampling.reward_loop import gradient_steps, sample_with_gradients
from stickerforge.training.methods.base import ParameterGroup, StepOutput
from stickerforge.training.state import TrainState


@dataclass(frozen=True)
class RewardSettings:
    """How pictures are drawn and judged.

    Args:
        direction: the common direction of texts, (D,).
        weight: of what does not depend on the prompt, 0 to 1.
        steps: denoising steps.
        gradient_every: every how many steps a gradient is taken.
        guidance: scale of classifier-free guidance.
        crop: side of the random crop, as a share.
        resolution: side of the pictures in pixels.
        part: pictures that are computed at once.
    """

    direction: Tensor
    weight: float
    steps: int
    gradient_every: int
    guidance: float
    crop: float
    resolution: int
    part: int


@dataclass(frozen=True)
class PromptBatch:
    """The prompts of a step.

    Args:
        seeds: one per prompt, of its noise and crop.
        offset: number of the first step with a gradient.
    """

    prompts: Sequence[str]
    seeds: Sequence[int]
    offset: int


class PreferenceTuning:
    """Maximizes the reward of pictures that are drawn for prompts."""

    kind: AdapterKind = LORA

    def __init__(
        self,
        state: TrainState,
        prompts: Sequence[str],
        reward: PromptReward,
        settings: RewardSettings,
        config: TrainingConfig,
        *,
        seed: int,
    ) -> None:
        """Args:
        config: of the loop.
        """
        self.train_state, self.prompts, self.reward = state, prompts, reward
        self.settings, self.config, self.seed = settings, config, seed

    def parameter_groups(self) -> list[ParameterGroup]:
        """The LoRA factors."""
        config = self.config
        return [
            {
                "params": self.train_state.factors,
                "lr": config.lr,
                "weight_decay": config.weight_decay,
            }
        ]

    def batch(self, step: int) -> PromptBatch:
        """The next prompts of a walk through all of them, shuffled anew each time."""
        size, count = self.config.batch, len(self.prompts)
        prompts = []
        for place in range(step * size, (step + 1) * size):
            epoch, position = divmod(place, count)
            order = np.random.default_rng(derive_seed(self.seed, "order", epoch)).permutation(count)
            prompts.append(self.prompts[int(order[position])])
        seeds = [derive_seed(self.seed, "picture", step, slot) for slot in range(size)]
        every = min(self.settings.gradient_every, self.settings.steps)
        offset = torch.randint(every, (), generator=generator(self.seed, "offset", step))
        return PromptBatch(prompts, seeds, int(offset))

    def split(self, batch: PromptBatch) -> Sequence[PromptBatch]:
        """As many pictures at once as were asked for."""
        part, count = self.settings.part, len(batch.prompts)
        if count <= part or count % part:
            return [batch]
        return [
            PromptBatch(
                batch.prompts[start : start + part], batch.seeds[start : start + part], batch.offset
            )
            for start in range(0, count, part)
        ]

    def loss(self, batch: PromptBatch, step: int) -> StepOutput:
        """The loss of the pictures' mean reward.

        Raises:
            InputError: the reward gives no number.
        """
        # Each is drawn from a context of its own length, as when pictures are generated.
        model, groups = self.train_state.model, dict[int, list[int]]()
        for row, prompt in enumerate(batch.prompts):
            groups.setdefault(model.context_windows(prompt), []).append(row)
        rows = [row for group in groups.values() for row in group]
        crops = [crop for group in groups.values() for crop in self.draw(batch, group)]
        pixels, prompts = torch.stack(crops), [batch.prompts[row] for row in rows]
        images, texts = self.reward.encode_pixels(pixels), self.reward.encode_texts(prompts)
        weight = self.settings.weight
        result = preference(images, texts, self.settings.direction, weight)
        check_scores(result.score, pixels, self.reward.name)
        metrics = {
            "reward": result.score.detach().mean(),
            "relevant": result.relevant.detach().mean(),
            "irrelevant": result.irrelevant.detach().mean(),
        }
        return StepOutput(preference_loss(result.score, weight), metrics)

    def draw(self, batch: PromptBatch, rows: Sequence[int]) -> list[Tensor]:
        """Crops of the pictures of some rows with their gradient, (3 or 4, side, side) each."""
        model, settings = self.train_state.model, self.settings
        seeds = [batch.seeds[row] for row in rows]
        prompts = [batch.prompts[row] for row in rows]
        shape = model.latent_shape(settings.resolution)
        noise = [torch.randn(shape, generator=generator(seed, "latents")) for seed in seeds]
        with torch.no_grad():
            windows = model.context_windows(prompts[0])
            text = model.encode_prompt(prompts, windows)
            negative = model.encode_prompt([""] * len(prompts), windows)
        every = min(settings.gradient_every, settings.steps)
        latents = sample_with_gradients(
            model.predict,
            prompt_guidance(text, negative, settings.guidance),
            torch.stack(noise).to(model.device),
            model.noise_process,
            model.noise_process.gradient_timesteps(settings.steps, shape),
            gradient_steps(settings.steps, every, batch.offset),
        )
        pixels: Tensor = checkpoint(model.decode, latents, use_reentrant=False)
        return [self.crop(*pair) for pair in zip(pixels, seeds, strict=True)]

    def crop(self, pixels: Tensor, seed: int) -> Tensor:
        """A random square of a picture, (3 or 4, side, side)."""
        height, width = pixels.shape[1:]
        side = max(1, round(min(height, width) * self.settings.crop))
        across, down = torch.rand(2, generator=generator(seed, "crop")).tolist()
        left, top = int(across * (width - side + 1)), int(down * (height - side + 1))
        return pixels[:, top : top + side, left : left + side]

    def after_step(self, output: StepOutput) -> None:
        """Nothing."""

    def state(self) -> dict[str, Tensor]:
        """The adapter."""
        return self.train_state.tensors()

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave."""
        self.train_state.restore(tensors)

    def weights(self) -> AdapterWeights:
        """A copy of the adapter as it is now."""
        return self.train_state.weights()
