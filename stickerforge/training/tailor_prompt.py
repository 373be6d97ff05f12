"""The workflow of `tailor prompt`: from captioned pictures, or prompts and a reward, to a model."""

from stickerforge.runtime.console import Console
from stickerforge.training.captioned_source import CaptionedSource
from stickerforge.training.reward_source import RewardSource
from stickerforge.training.tailor import tune
from stickerforge.training.tailor_estimate import pictures_at_once, warn_of_memory
from stickerforge.training.tailor_plan import TailorPlan
from stickerforge.training.tuning_data import TuningData
from stickerforge.training.tuning_result import Tuning
from stickerforge.training.tuning_source import TuningSource


def tailor_prompt(
    plan: TailorPlan,
    data: TuningData,
    console: Console,
    *,
    offline: bool,
    force: bool,
    resume: bool,
) -> Tuning:
    """Train and save an adapter.

    Raises:
        StickerforgeError: as `tune`.
    """
    warn_of_memory(plan, console)
    source = source_of(plan, data)
    return tune(plan, source, console, offline=offline, force=force, resume=resume)


def source_of(plan: TailorPlan, data: TuningData) -> TuningSource:
    """What is trained on: captioned pictures, or prompts and a reward."""
    if data.captioned:
        return CaptionedSource(plan, data.captioned, pictures_at_once(plan))
    return RewardSource(plan, data.prompts)
