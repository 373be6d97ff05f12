"""What share of the pictures the rule of a plan takes from content, known from the schedule."""

import math

import torch

from stickerforge.errors import InputError
from stickerforge.models.noise_process import load_noise_process
from stickerforge.training.set_router import SetRouter
from stickerforge.training.style_plan import StylePlan


def expected_share(plan: StylePlan) -> float:
    """The share of a run's pictures that come from content, 0 to 1.

    Raises:
        InputError: the threshold lies beyond the schedule, so that one of two sets would never be
            learned; or the model's scheduler is broken.
    """
    if plan.arm == "sequential":
        return 0.5
    if len(plan.sets) < 2:
        return 0.0 if plan.sets == ("style",) else 1.0
    process = load_noise_process(plan.card, torch.device("cpu"))
    router = SetRouter(
        plan.routing, process, (1, 1, 1), sizes=(1, 1), one_set=False, batch=1, steps=1, seed=0
    )
    # Of a schedule that ends without signal the last level is endless: nothing lies beyond it.
    levels = [level for level in router.log_snr if math.isfinite(level)]
    if len({level < plan.routing.threshold for level in levels}) == 2:
        return router.content_share
    raise InputError(
        f"joint.threshold={plan.config.joint.threshold:g} is beyond the noise levels of"
        f" {plan.card.title}",
        # Rounded inwards: both ends can be given.
        f"give one between {math.ceil(100 * min(levels) + 1) / 100:.2f} and"
        f" {math.floor(100 * max(levels)) / 100:.2f}",
    )
