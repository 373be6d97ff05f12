"""How long a run of `tailor prompt` will take and how much memory, from sizes alone."""

from stickerforge.config.schema import SamplingConfig
from stickerforge.generation.plan import sampling_settings
from stickerforge.models.cost import Cost, reward_cost, sampling_cost, training_cost
from stickerforge.runtime.device import resolve_device
from stickerforge.training.tailor_plan import TailorPlan


def tuning_cost(plan: TailorPlan) -> Cost:
    """Seconds and peak bytes of a run, validation included."""
    training, card = plan.config.training, plan.card
    cuda = resolve_device(plan.config.device).type == "cuda"
    cost = step_cost(plan, pictures_at_once(plan), training.steps)
    if not plan.validation_interval:
        return cost
    settings = plan.config.validation
    sampling = sampling_settings(SamplingConfig(), card)
    validations = training.steps // plan.validation_interval + 2  # at both ends, too
    seconds = sampling_cost(
        card,
        pictures=settings.prompts * settings.seeds * validations,
        steps=sampling.steps,
        guidance=sampling.guidance,
        pixels=training.resolution,
        cuda=cuda,
    ).seconds
    return Cost(cost.seconds + seconds, cost.memory_bytes)


def step_cost(plan: TailorPlan, at_once: int, steps: int) -> Cost:
    """Seconds of so many steps, and peak bytes where so many pictures are computed at once."""
    training, card = plan.config.training, plan.card
    cuda = resolve_device(plan.config.device).type == "cuda"
    if plan.method == "prompt":
        whole = training_cost(
            card,
            steps=steps,
            batch=training.batch,
            pixels=training.resolution,
            dco=False,
            cuda=cuda,
        )
        part = training_cost(
            card, steps=1, batch=at_once, pixels=training.resolution, dco=False, cuda=cuda
        )
        return Cost(whole.seconds, part.memory_bytes)
    preference = plan.config.preference
    return reward_cost(
        card,
        steps=steps,
        batch=training.batch,
        at_once=at_once,
        denoising_steps=preference.steps,
        gradient_every=preference.gradient_every,
        guidance=guidance_of(plan),
        pixels=training.resolution,
        cuda=cuda,
    )


def guidance_of(plan: TailorPlan) -> float:
    """The guidance scale of the pictures that a reward judges."""
    asked = plan.config.preference.guidance
    return sampling_settings(SamplingConfig(), plan.card).guidance if asked is None else asked


def pictures_at_once(plan: TailorPlan) -> int:
    """How many pictures of a batch are computed together, so that memory suffices; at least one.

    They divide the batch, since parts of other sizes would count otherwise.
    """
    training = plan.config.training
    sizes = [size for size in range(training.batch, 0, -1) if training.batch % size == 0]
    limit = training.memory * 1e9
    if not limit:
        return training.batch
    return next((size for size in sizes if step_cost(plan, size, 1).memory_bytes <= limit), 1)
