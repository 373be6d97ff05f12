"""The workflow of a training of `tailor style`: from sets of pictures to an adapter."""

from stickerforge.adapters import store
from stickerforge.generation.inference import load
from stickerforge.models.checksums import verify
from stickerforge.runtime.console import Console
from stickerforge.runtime.device import resolve_device
from stickerforge.training.provenance import versions
from stickerforge.training.state import init_state
from stickerforge.training.style_data import StyleData
from stickerforge.training.style_estimate import warn_of_memory
from stickerforge.training.style_plan import StylePlan
from stickerforge.training.style_result import StyleResult
from stickerforge.training.style_routing import expected_share
from stickerforge.training.style_source import StyleSource
from stickerforge.training.tailor import tune
from stickerforge.training.tuning_result import Tuning


def tailor_style(
    plan: StylePlan,
    data: StyleData,
    console: Console,
    *,
    offline: bool,
    force: bool,
    resume: bool,
) -> StyleResult:
    """Train and save an adapter; that of the arm "prompt" is saved as it is.

    Raises:
        StickerforgeError: as `tune`; or the threshold lies beyond the schedule.
    """
    if plan.arm == "prompt":
        return StyleResult(plan, save_prompt_arm(plan), data)
    expected_share(plan)
    warn_of_memory(plan, console)
    source = StyleSource(plan, data)
    tuning = tune(plan, source, console, offline=offline, force=force, resume=resume)
    return StyleResult(plan, tuning, data)


def save_prompt_arm(plan: StylePlan) -> Tuning:
    """An adapter that changes nothing but the prompt, to compare the others with.

    Raises:
        InputError: the model cannot be read.
        EnvironmentFault: likewise, or the disk is full.
    """
    verify(plan.card.folder)
    model, training = load(plan.card, str(resolve_device(plan.config.device))), plan.training
    state = init_state(
        model, {}, rank=1, layers=training.layers, text_rank=0, seed=plan.config.seed
    )
    adapter = store.save(
        plan.name,
        state.weights(),
        kind="style",
        base=plan.base,
        tokens={},
        phrase=plan.config.style.phrase,
        made={
            "objective": "none",
            "arm": plan.arm,
            "steps": 0,
            "rank": 1,
            "seed": plan.config.seed,
            "versions": versions(),
        },
    )
    return Tuning(adapter, 0, "", {})
