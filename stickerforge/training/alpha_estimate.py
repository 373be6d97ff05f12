"""How long a run of `tailor alpha` will take and how much memory, from sizes alone."""

from stickerforge.models.cost import Cost, decoder_cost
from stickerforge.runtime.console import Console
from stickerforge.runtime.device import resolve_device
from stickerforge.training.alpha_plan import AlphaPlan
from stickerforge.training.batch_parts import largest_part, warn_of_parts


def alpha_cost(plan: AlphaPlan, held_out: int, photos: int) -> Cost:
    """Seconds and peak bytes of a run.

    Args:
        held_out: pictures of each validation, which count as half a step's.
        photos: pictures for grounds, which are kept.
    """
    training, every = plan.config.training, plan.config.validation.every
    validations = -(-training.steps // every) if every else 0
    cost = step_cost(plan, pictures_at_once(plan), training.steps)
    start = step_cost(plan, 1, 0).seconds
    each = (step_cost(plan, 1, 1).seconds - start) / training.batch
    kept = photos * 3 * (2 * training.resolution) ** 2  # see `photo_planes`
    return Cost(cost.seconds + validations * held_out * each / 2, cost.memory_bytes + kept)


def step_cost(plan: AlphaPlan, at_once: int, steps: int) -> Cost:
    """Seconds of so many steps, and peak bytes where so many pictures are computed at once."""
    training = plan.config.training
    return decoder_cost(
        plan.card,
        steps=steps,
        batch=training.batch,
        at_once=at_once,
        pixels=training.resolution,
        cuda=resolve_device(plan.config.device).type == "cuda",
    )


def pictures_at_once(plan: AlphaPlan) -> int:
    """How many pictures of a batch are computed together, so that memory suffices."""
    return largest_part(plan.config.training, lambda size: step_cost(plan, size, 1).memory_bytes)


def warn_of_memory(plan: AlphaPlan, console: Console) -> None:
    """Warn where a single picture takes more memory than a step may."""
    warn_of_parts(plan.config.training, step_cost(plan, 1, 1).memory_bytes, console)
