"""What a run of `tailor reward` would take: pictures, hours, disk, from sizes alone."""

import os
from typing import Any

from stickerforge.adapters import store
from stickerforge.config.schema import SamplingConfig
from stickerforge.generation.plan import sampling_settings
from stickerforge.models.cost import Cost, sampling_cost, training_cost, weights_bytes
from stickerforge.models.families.specs import family_spec
from stickerforge.models.hub import encoder_repository
from stickerforge.models.reward_names import reward_repository
from stickerforge.runtime.console import Console
from stickerforge.runtime.device import resolve_device
from stickerforge.runtime.text import plural
from stickerforge.training.batch_parts import largest_part
from stickerforge.training.reward_plan import AspectPlan, RewardPlan
from stickerforge.training.style_estimate import cost_of, pictures_at_once, warn_of_memory

BYTES_PER_PIXEL = 1.2  # of a picture's file, as sticker-mini's are
SHARE_OF_RANK = 0.015  # what each rank of a LoRA takes of the denoiser's bytes
STATES = 4  # weights, two moments and the file while a round is trained


def picture_counts(plan: RewardPlan) -> tuple[int, int]:
    """(pictures to choose from, pictures that measure) at most."""
    config, prompts = plan.config, plan.prompts
    aspects, rounds = len(plan.aspects), config.rounds
    candidates = len(prompts.training) * config.candidates.count * (1 + aspects * (rounds - 1))
    models = 1 + aspects * rounds + plan.has_mixture
    measuring = len(prompts.held_out) * config.held_out.count * models
    return candidates, measuring


def reward_cost(plan: RewardPlan) -> Cost:
    """Seconds and peak bytes of a run with all of its rounds."""
    config, card = plan.config, plan.card
    own = AspectPlan(config, card, plan.base, config.name)
    training = config.training
    trained = cost_of(own, training.batch, training.steps)
    memory = cost_of(own, pictures_at_once(own), 1).memory_bytes
    given = config.candidates
    sampling = sampling_settings(
        SamplingConfig(steps=given.steps, guidance=given.guidance, pixels=given.pixels), card
    )
    drawn = sampling_cost(
        card,
        pictures=sum(picture_counts(plan)),
        steps=sampling.steps,
        guidance=sampling.guidance,
        pixels=side(plan),
        cuda=resolve_device(config.device).type == "cuda",
    )
    runs = len(plan.aspects) * config.rounds
    mixed = mixture_cost(plan)
    seconds = drawn.seconds + runs * trained.seconds + mixed.seconds
    return Cost(seconds, max(memory, drawn.memory_bytes, mixed.memory_bytes))


def mixture_cost(plan: RewardPlan) -> Cost:
    """Seconds and peak bytes of the mixture's training; nothing where there is none."""
    if not plan.has_mixture:
        return Cost(0.0, 0)
    own, cuda = plan.config.mixture, resolve_device(plan.config.device).type == "cuda"

    def cost(batch: int, steps: int) -> Cost:
        return training_cost(
            plan.card, steps=steps, batch=batch, pixels=own.resolution, dco=False, cuda=cuda
        )

    at_once = largest_part(own, lambda size: cost(size, 1).memory_bytes)
    return Cost(cost(own.batch, own.steps).seconds, cost(at_once, 1).memory_bytes)


def side(plan: RewardPlan) -> int:
    """The side of the pictures in pixels."""
    own = plan.config.candidates.pixels or plan.card.sampling.get("pixels")
    return int(own or family_spec(plan.card.folder).native_pixels(plan.card.folder))


def disk_bytes(plan: RewardPlan) -> int:
    """About what the pictures and weights of a run take."""
    denoiser = weights_bytes(plan.card.folder / family_spec(plan.card.folder).denoiser)
    lora = SHARE_OF_RANK * plan.config.training.rank * denoiser
    copies = 2 if plan.has_mixture else 1  # a mixture holds its parents
    files = len(plan.aspects) * (plan.config.rounds + copies) + STATES
    pictures = sum(picture_counts(plan)) * BYTES_PER_PIXEL * side(plan) ** 2
    return int(pictures + files * lora)


def describe(plan: RewardPlan, console: Console) -> tuple[dict[str, Any], list[str]]:
    """What a run would do: (result for the JSON, lines for people); warns of memory."""
    config, training = plan.config, plan.config.training
    warn_of_memory(AspectPlan(config, plan.card, plan.base, config.name), console)
    cost, disk = reward_cost(plan), disk_bytes(plan)
    candidates, measuring = picture_counts(plan)
    names = plan.adapter_names
    places = {reward_repository(config.alignment.model), encoder_repository("judge")}
    places |= {each.place for each in plan.aspects if not os.path.exists(each.place)}  # noqa: PTH110
    fetches = sorted(places - {""})
    writes = [*(str(store.folder(name)) for name in names), str(plan.run.path)]
    hours = cost.seconds / 3600
    result = {
        "dry_run": True,
        "adapters": names,
        "model": plan.card.title,
        "reads": config.prompts,
        "prompts": len(plan.prompts.training),
        "held_out": len(plan.prompts.held_out),
        "pictures": candidates + measuring,
        "fetches": fetches,
        "writes": writes,
        "training": vars(training),
        "mixture": vars(config.mixture) | {"adapter": config.name} if plan.has_mixture else None,
        "about_seconds": round(cost.seconds, 1),
        "about_memory_mb": cost.memory_bytes // 1_000_000,
        "about_disk_mb": disk // 1_000_000,
    }
    most = "at most " if config.rounds > 1 else ""
    lines = [
        f"adapter {', '.join(names)} for {plan.card.title}",
        f"read    {plural(len(plan.prompts.training), 'prompt')} of {config.prompts}, and"
        f" {len(plan.prompts.held_out)} that measure",
        f"draw    {most}{plural(candidates, 'picture')} to choose from, {measuring} to measure",
        *(f"fetch   {name}, unless it is in the cache" for name in fetches),
        *(f"write   {path}{os.sep}" for path in writes),
        f"train   {most}{config.rounds} x {training.steps} steps of {training.batch} for each of"
        f" {plural(len(plan.aspects), 'aspect')}, rank {training.rank}, lr {training.lr}",
        *mixture_lines(plan),
        f"about   {hours:.2f} hours, {result['about_memory_mb']} MB of memory,"
        f" {result['about_disk_mb']} MB of disk",
    ]
    return result, lines


def mixture_lines(plan: RewardPlan) -> list[str]:
    """The mixture for people."""
    own = plan.config.mixture
    return [
        f"mix     {own.steps} steps of {own.batch} for the gates of {plan.config.name}, where two"
        f" LoRAs or more are kept, lr {own.lr}"
    ] * plan.has_mixture
