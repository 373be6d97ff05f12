"""What a reward of pictures for prompts may be called. Imports no torch."""

from pathlib import Path

from stickerforge.config.user_paths import user_path
from stickerforge.errors import InputError, nearest
from stickerforge.models.hub import ENCODERS, HUB_NAME, JUDGES, REWARDS

MIN_CAPTIONS = 5000  # whose mean is the common direction of a reward
NO_TEXT = ("dinov2",)  # of ENCODERS
PREFERENCES = ("pickscore", "hpsv2")  # of REWARDS
NAMES = (*JUDGES, *(name for name in ENCODERS if name not in NO_TEXT), *PREFERENCES)
GIVE = f"give {', '.join(NAMES)}, a folder, or owner/name of the hub"


def check_reward_name(name: str) -> None:
    """Make sure that something is called so, before anything is fetched or read.

    Raises:
        InputError: nothing is, or it cannot reward pictures for prompts.
    """
    kind, place = reward_parts(name)
    if kind in NO_TEXT:
        raise no_text(kind)
    if kind in REWARDS and kind not in PREFERENCES:
        raise InputError(f"{kind} does not compare pictures with prompts by a gradient", GIVE)
    if kind in PREFERENCES and not place:
        what = f"give {kind}=FOLDER, in the format of transformers"
        raise InputError(f"the weights of the reward {kind} must be given", what)
    if kind in NAMES[: -len(PREFERENCES)] or is_hub_name(place) or (place and Path(place).is_dir()):
        return
    if kind in PREFERENCES:
        what = "give a folder in the format of transformers, or owner/name of the hub"
        raise InputError(f"the reward {kind}: there is no folder {place!r}", what)
    raise InputError(f"unknown reward {name!r}", nearest(name, NAMES, GIVE))


def reward_parts(name: str) -> tuple[str, str]:
    """(kind, folder or hub repository) of KIND, KIND=PLACE or a place, whose kind is its name."""
    kind, equals, place = name.partition("=")
    if kind not in REWARDS:
        return name, user_path(name)
    return kind, user_path(place) if equals else REWARDS[kind]


def reward_repository(name: str) -> str:
    """The repository of the hub that a reward is fetched from; "" where it is here."""
    kind, place = reward_parts(name)
    if kind in JUDGES or Path(place).is_dir():
        return ""
    return ENCODERS.get(place, place)


def is_hub_name(text: str) -> bool:
    """Whether a text may be owner/name of the hub."""
    return bool(HUB_NAME.fullmatch(text)) and not text.startswith(".")


def no_text(name: str) -> InputError:
    """The error of an encoder of pictures only."""
    return InputError(f"{name} reads no text, so it cannot reward pictures for prompts", GIVE)


def too_few_captions(name: str, count: int) -> InputError:
    """The error of too few captions for the common direction of a reward."""
    return InputError(
        f"the common direction of {name} needs {MIN_CAPTIONS:,} different captions, "
        f"and there are {count:,}",
        f"give more captions, or a reward whose direction ships: {', '.join(JUDGES)}",
    )
