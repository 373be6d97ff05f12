"""How long a training of `tailor style` will take and how much memory, from sizes alone."""

from stickerforge.models.cost import Cost, training_cost
from stickerforge.runtime.console import Console
from stickerforge.runtime.device import resolve_device
from stickerforge.training.style_plan import StylePlan
from stickerforge.training.style_routing import expected_share
from stickerforge.training.tailor_estimate import largest_part, validation_seconds


def describe(plan: StylePlan, console: Console) -> tuple[Cost, float]:
    """(what a run costs, the share of its pictures that come from content); warns of memory.

    Raises:
        InputError: the threshold lies beyond the schedule of the model.
    """
    warn_of_memory(plan, console)
    return style_cost(plan), expected_share(plan)


def style_cost(plan: StylePlan) -> Cost:
    """Seconds and peak bytes of a run, validation included."""
    training = plan.config.training
    if plan.arm == "prompt":
        return Cost(0.0, 0)
    cost = cost_of(plan, training.batch, training.steps)
    memory = cost_of(plan, pictures_at_once(plan), 1).memory_bytes
    return Cost(cost.seconds + validation_seconds(plan), memory)


def cost_of(plan: StylePlan, batch: int, steps: int) -> Cost:
    """Seconds of so many steps, and peak bytes where so many pictures are computed at once."""
    return training_cost(
        plan.card,
        steps=steps,
        batch=batch,
        pixels=plan.config.training.resolution,
        dco=plan.training.objective == "dco",
        cuda=resolve_device(plan.config.device).type == "cuda",
    )


def pictures_at_once(plan: StylePlan) -> int:
    """How many pictures of a batch are computed together, so that memory suffices."""
    return largest_part(plan.config.training, lambda size: cost_of(plan, size, 1).memory_bytes)


def warn_of_memory(plan: StylePlan, console: Console) -> None:
    """Warn where a single picture takes more memory than a step may."""
    limit, least = plan.config.training.memory * 1e9, cost_of(plan, 1, 1).memory_bytes
    if limit and least > limit:
        console.warn(
            f"training.memory={plan.config.training.memory:g}: a single picture takes about"
            f" {least / 1e9:.1f} GB"
        )
