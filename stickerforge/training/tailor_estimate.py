"""How long a run of `tailor prompt` will take and how much memory, from sizes alone."""

from pathlib import Path
from typing import Any

from stickerforge.config.schema import SamplingConfig
from stickerforge.generation.plan import sampling_settings
from stickerforge.models.cost import (
    Cost,
    is_half,
    reward_cost,
    sampling_cost,
    training_cost,
    weights_bytes,
)
from stickerforge.models.reward_names import reward_parts
from stickerforge.runtime.console import Console
from stickerforge.runtime.device import resolve_device
from stickerforge.training.batch_parts import largest_part, warn_of_parts
from stickerforge.training.tailor_plan import TailorPlan
from stickerforge.training.tuning_plan import TuningPlan


def tuning_cost(plan: TailorPlan) -> Cost:
    """Seconds and peak bytes of a run, validation included."""
    cost = step_cost(plan, pictures_at_once(plan), plan.config.training.steps)
    return Cost(cost.seconds + validation_seconds(plan), cost.memory_bytes)


def validation_seconds(plan: TuningPlan[Any]) -> float:
    """How long drawing takes for all validations of a run."""
    if not plan.validation_interval:
        return 0.0
    settings, training = plan.config.validation, plan.config.training
    sampling = sampling_settings(SamplingConfig(), plan.card)
    validations = training.steps // plan.validation_interval + 2  # at both ends, too
    return sampling_cost(
        plan.card,
        pictures=settings.prompts * settings.seeds * validations,
        steps=sampling.steps,
        guidance=sampling.guidance,
        pixels=training.resolution,
        cuda=resolve_device(plan.config.device).type == "cuda",
    ).seconds


def step_cost(plan: TailorPlan, at_once: int, steps: int) -> Cost:
    """Seconds of so many steps, and peak bytes where so many pictures are computed at once."""
    training, card = plan.config.training, plan.card
    cuda, pixels = resolve_device(plan.config.device).type == "cuda", training.resolution
    if plan.method == "prompt":

        def cost_of(steps: int, batch: int) -> Cost:
            return training_cost(
                card, steps=steps, batch=batch, pixels=pixels, dco=False, cuda=cuda
            )

        return Cost(cost_of(steps, training.batch).seconds, cost_of(1, at_once).memory_bytes)
    preference = plan.config.preference
    cost = reward_cost(
        card,
        steps=steps,
        batch=training.batch,
        at_once=at_once,
        denoising_steps=preference.steps,
        gradient_every=preference.gradient_every,
        guidance=guidance_of(plan),
        pixels=pixels,
        cuda=cuda,
    )
    return Cost(cost.seconds, cost.memory_bytes + reward_bytes(preference.model))


def reward_bytes(name: str) -> int:
    """The memory of a reward in float32 that lies in a folder; 0 for others, as yet unknown."""
    folder = Path(reward_parts(name)[1])
    if not folder.is_dir():
        return 0
    return weights_bytes(folder) * (2 if is_half(folder) else 1)


def guidance_of(plan: TailorPlan) -> float:
    """The guidance scale of the pictures that a reward judges."""
    scale = plan.config.preference.guidance
    return sampling_settings(SamplingConfig(), plan.card).guidance if scale is None else scale


def pictures_at_once(plan: TailorPlan) -> int:
    """How many pictures of a batch are computed together, so that memory suffices."""
    return largest_part(plan.config.training, lambda size: step_cost(plan, size, 1).memory_bytes)


def warn_of_memory(plan: TailorPlan, console: Console) -> None:
    """Warn where a single picture takes more memory than a step may."""
    warn_of_parts(plan.config.training, step_cost(plan, 1, 1).memory_bytes, console)
