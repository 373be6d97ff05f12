"""What is wrong with the settings of `tailor reward`, said before anything takes long."""

from collections.abc import Sequence
from pathlib import Path

from stickerforge.adapters.mixture_weights import MAX_PARENTS
from stickerforge.adapters.store import validate_name
from stickerforge.config.schema import TailorRewardConfig
from stickerforge.config.style_presets import style_presets
from stickerforge.errors import InputError
from stickerforge.evaluation.aspect_names import AspectName
from stickerforge.models.hub import JUDGES
from stickerforge.models.reward_names import check_reward_name


def adapter_name(name: str, aspect: str, count: int) -> str:
    """The adapter of an aspect in a run with so many of them."""
    return name if count == 1 else f"{name}-{aspect}"


def check_name(config: TailorRewardConfig, aspects: Sequence[AspectName]) -> str:
    """The name of the run.

    Raises:
        InputError: there is none, or it, or that of an adapter, cannot be one.
    """
    if not config.name:
        raise InputError("the adapter has no name", "give --name NAME, for example --name better")
    name = validate_name(config.name)
    for aspect in aspects:
        validate_name(adapter_name(name, aspect.name, len(aspects)))
    names = [adapter_name(name, aspect.name, len(aspects)) for aspect in aspects]
    for own in names + ([name] if with_mixture(config, aspects) else []):
        if own in style_presets():
            raise InputError(f"{own!r} is the name of a preset", "give another --name")
    return name


def with_mixture(config: TailorRewardConfig, aspects: Sequence[AspectName]) -> bool:
    """Whether a mixture of the aspects' LoRAs is asked for."""
    return len(aspects) > 1 and config.mixture.steps > 0


def check_mixture(config: TailorRewardConfig, aspects: Sequence[AspectName]) -> None:
    """Make sure that a mixture holds the LoRAs of so many aspects.

    Raises:
        InputError: it does not.
    """
    if with_mixture(config, aspects) and len(aspects) > MAX_PARENTS:
        raise InputError(
            f"a mixture holds at most {MAX_PARENTS} LoRAs, and there are {len(aspects)} aspects",
            "give fewer --aspects, or --set mixture.steps=0",
        )


def check_selection(config: TailorRewardConfig, aspects: Sequence[AspectName]) -> None:
    """Make sure that there is something to choose.

    Raises:
        InputError: there is not.
    """
    selection, limited = config.selection, config.selection.threshold is not None
    if config.candidates.count == 1 and (limited or selection.quantile):
        raise InputError(
            "of one picture a prompt none can be chosen, only prompts left out",
            "give --count 2 or more, or --set selection.quantile=0 to train on all",
        )
    if limited and len(aspects) > 1:
        raise InputError(
            f"selection.threshold is in the unit of one aspect, and there are {len(aspects)}",
            "give one of --aspects, or selection.quantile",
        )


def check_alignment(config: TailorRewardConfig) -> None:
    """Make sure that alignment can be measured as the settings say.

    Raises:
        InputError: it cannot.
    """
    model, direction = config.alignment.model, config.alignment.direction
    try:
        check_reward_name(model)
    except InputError as error:
        raise InputError(f"alignment.model: {error.message}", error.hint) from None
    if direction and not Path(direction).is_file():
        raise InputError(f"alignment.direction: there is no file {direction}", "check the path")
    if model not in JUDGES and not direction:
        raise InputError(
            f"alignment by {model} needs a file of prompts, whose mean is taken out of its score",
            f"give --set alignment.direction=FILE, or alignment.model={JUDGES[1]}",
        )
