"""How long a run of `tailor image` will take and how much memory, from sizes alone."""

from stickerforge.config.schema import SamplingConfig
from stickerforge.generation.plan import sampling_settings
from stickerforge.models.cost import Cost, count_weights, sampling_cost, training_cost
from stickerforge.models.families.specs import family_spec
from stickerforge.runtime.console import Console
from stickerforge.runtime.device import resolve_device
from stickerforge.training.batch_parts import largest_part, warn_of_parts
from stickerforge.training.image_plan import ImagePlan
from stickerforge.training.image_validation import DRAWN_EACH, ROUNDS

# Weights of the official adapters as a share of their denoisers', the larger of 1.x and XL.
SHARE = {"base": 0.12, "plus": 0.17}
BYTES_EACH = 20  # of a weight: itself, its gradient, two moments, a copy for a checkpoint


def image_cost(plan: ImagePlan, held_out: int) -> Cost:
    """Seconds and peak bytes of a run, validation included.

    Args:
        held_out: pictures of each validation.
    """
    training, validation = plan.config.training, plan.config.validation
    cost = step_cost(plan, pictures_at_once(plan), training.steps)
    if not validation.every:
        return cost
    count = -(-training.steps // validation.every)
    sampling = sampling_settings(SamplingConfig(), plan.card)
    drawing = sampling_cost(
        plan.card,
        pictures=count * min(validation.shown, held_out) * DRAWN_EACH,
        steps=sampling.steps,
        guidance=sampling.guidance,
        pixels=training.resolution,
        cuda=is_cuda(plan),
    )
    # Errors with the reference and without, forwards only: as much as a step forwards and back.
    passes = count * held_out * ROUNDS / training.batch
    measuring = step_cost(plan, 1, max(1, round(passes)))
    return Cost(cost.seconds + drawing.seconds + measuring.seconds, cost.memory_bytes)


def step_cost(plan: ImagePlan, at_once: int, steps: int) -> Cost:
    """Seconds of so many steps, and peak bytes where so many pictures are computed at once."""
    training = plan.config.training
    pixels, cuda = training.resolution, is_cuda(plan)

    def cost_of(steps: int, batch: int) -> Cost:
        return training_cost(
            plan.card, steps=steps, batch=batch, pixels=pixels, dco=False, cuda=cuda
        )

    memory = cost_of(1, at_once).memory_bytes + adapter_bytes(plan) + encoder_bytes(plan)
    return Cost(cost_of(steps, training.batch).seconds, memory)


def adapter_bytes(plan: ImagePlan) -> int:
    """The adapter with its gradients, moments and a checkpoint, in float32."""
    denoiser = plan.card.folder / family_spec(plan.card.folder).denoiser
    return int(SHARE[plan.config.variant] * count_weights(denoiser) * BYTES_EACH)


def encoder_bytes(plan: ImagePlan) -> int:
    """The image encoder in the precision that it runs in."""
    place, half = plan.encoder, is_cuda(plan)
    if place.folder is None:
        return place.MEGABYTES.get(place.title, 0) * 1_000_000 // (2 if half else 1)
    if place.is_judge:
        return 0
    return int(count_weights(place.folder) * (2 if half else 4))


def is_cuda(plan: ImagePlan) -> bool:
    """Whether it runs on a GPU of NVIDIA."""
    return resolve_device(plan.config.device).type == "cuda"


def pictures_at_once(plan: ImagePlan) -> int:
    """How many pictures of a batch are computed together, so that memory suffices."""
    return largest_part(plan.config.training, lambda size: step_cost(plan, size, 1).memory_bytes)


def warn_of_memory(plan: ImagePlan, console: Console) -> None:
    """Warn where a single picture takes more memory than a step may."""
    warn_of_parts(plan.config.training, step_cost(plan, 1, 1).memory_bytes, console)
