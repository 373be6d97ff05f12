"""What a training of `tailor style` would do: how long it takes, how much memory, from sizes."""

import os
from typing import Any

from stickerforge.adapters import store
from stickerforge.models.cost import Cost, training_cost
from stickerforge.models.hub import encoder_repository
from stickerforge.runtime.console import Console
from stickerforge.runtime.device import resolve_device
from stickerforge.runtime.text import plural
from stickerforge.training.batch_parts import largest_part
from stickerforge.training.style_data import StyleData
from stickerforge.training.style_plan import StylePlan
from stickerforge.training.style_routing import expected_share
from stickerforge.training.tailor_estimate import validation_seconds
from stickerforge.training.tuning_plan import TuningPlan


def describe(own: StylePlan, data: StyleData, console: Console) -> tuple[dict[str, Any], list[str]]:
    """What a training would do: (result for the JSON, lines for people); warns of memory.

    Raises:
        InputError: the threshold lies beyond the schedule of the model.
    """
    warn_of_memory(own, console)
    cost, share = style_cost(own), expected_share(own)
    training = own.config.training
    encoders = [own.config.validation.encoder] if own.validation_interval else []
    encoders += [own.config.domain.encoder] if own.arm == "domain" else []
    fetches = sorted(filter(None, map(encoder_repository, set(encoders))))
    writes = [str(store.folder(own.name)), str(own.run.path)]
    counts = {name: len(each.pictures) for name, each in data.sets.items()}
    start = own.start.name if own.start else ""
    result = {
        "dry_run": True,
        "stage": own.config.stage,
        "arm": own.arm,
        "adapter": own.name,
        "model": own.card.title,
        "from": start or None,
        "sets": counts,
        "content_share": round(share, 4) if len(own.sets) > 1 else None,
        "drops": data.failed,
        "fetches": fetches,
        "writes": writes,
        "training": vars(training),
        "about_seconds": round(cost.seconds, 1),
        "about_memory_mb": cost.memory_bytes // 1_000_000,
    }
    lines = [
        f"adapter {own.name} for {own.card.title}{f', from {start}' if start else ''}",
        *(f"read    {plural(count, 'picture')} of {name}" for name, count in counts.items()),
        *(f"drop    {line}" for line in data.failed),
        *(f"fetch   {name}, unless it is in the cache" for name in fetches),
        *(f"write   {path}{os.sep}" for path in writes),
        *(train_lines(own, share)),
        f"about   {result['about_seconds']} s, {result['about_memory_mb']} MB",
    ]
    return result, lines


def train_lines(own: StylePlan, share: float) -> list[str]:
    """What is trained, for people."""
    training = own.config.training
    if own.arm == "prompt":
        return [f"train   nothing; prompts get {own.config.style.phrase!r}"]
    mixture = f", {share:.1%} content" if len(own.sets) > 1 else ""
    return [
        f"train   {training.steps} steps of {training.batch}, rank {training.rank}, "
        f"lr {training.lr}{mixture}"
    ]


def style_cost(plan: StylePlan) -> Cost:
    """Seconds and peak bytes of a run, validation included."""
    training = plan.config.training
    if plan.arm == "prompt":
        return Cost(0.0, 0)
    cost = cost_of(plan, training.batch, training.steps)
    memory = cost_of(plan, pictures_at_once(plan), 1).memory_bytes
    return Cost(cost.seconds + validation_seconds(plan), memory)


def cost_of(plan: TuningPlan[Any], batch: int, steps: int) -> Cost:
    """Seconds of so many steps, and peak bytes where so many pictures are computed at once."""
    return training_cost(
        plan.card,
        steps=steps,
        batch=batch,
        pixels=plan.config.training.resolution,
        dco=plan.training.objective == "dco",
        cuda=resolve_device(plan.config.device).type == "cuda",
    )


def pictures_at_once(plan: TuningPlan[Any]) -> int:
    """How many pictures of a batch are computed together, so that memory suffices."""
    return largest_part(plan.config.training, lambda size: cost_of(plan, size, 1).memory_bytes)


def warn_of_memory(plan: TuningPlan[Any], console: Console) -> None:
    """Warn where a single picture takes more memory than a step may."""
    limit, least = plan.config.training.memory * 1e9, cost_of(plan, 1, 1).memory_bytes
    if limit and least > limit:
        console.warn(
            f"training.memory={plan.config.training.memory:g}: a single picture takes about"
            f" {least / 1e9:.1f} GB"
        )
