"""How long a run will take and how much memory, from sizes alone."""

from stickerforge.config.schema import SamplingConfig
from stickerforge.generation.plan import sampling_settings
from stickerforge.models.cost import Cost, sampling_cost, training_cost
from stickerforge.runtime.device import resolve_device
from stickerforge.training.plan import TrainingPlan

IMAGES_PER_VALIDATION = 8  # four prompts, and the same in words that the base knows


def estimate_cost(plan: TrainingPlan) -> Cost:
    """Seconds and peak bytes of a run, validation and class images included."""
    training, card = plan.config.training, plan.card
    cuda = resolve_device(plan.config.device).type == "cuda"
    cost = training_cost(
        card,
        steps=training.steps,
        batch=training.batch,
        pixels=training.resolution,
        dco=training.objective == "dco",
        cuda=cuda,
    )
    seconds = cost.seconds * (2 if training.prior_weight else 1)
    images = training.prior_count if training.prior_weight else 0
    if plan.validation_interval:  # at the end, too, and of the base model
        images += IMAGES_PER_VALIDATION * (training.steps // plan.validation_interval + 2)
    if images:
        sampling = sampling_settings(SamplingConfig(), card)
        seconds += sampling_cost(
            card,
            pictures=images,
            steps=sampling.steps,
            guidance=sampling.guidance,
            pixels=training.resolution,
            cuda=cuda,
        ).seconds
    return Cost(seconds, cost.memory_bytes)
