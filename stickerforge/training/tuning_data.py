"""What a call of `tailor prompt` trains on, read and checked before torch is loaded."""

from dataclasses import dataclass, field
from pathlib import Path

from stickerforge.config.schema import TailorPromptConfig
from stickerforge.data.captioned_pictures import CaptionedPictures, read_captioned_pictures
from stickerforge.data.picture_folder import describe_skipped
from stickerforge.data.prompts import read_prompts
from stickerforge.errors import InputError
from stickerforge.models.hub import JUDGES
from stickerforge.models.reward_names import MIN_CAPTIONS, too_few_captions
from stickerforge.runtime.console import Console
from stickerforge.runtime.text import plural, shorten_list
from stickerforge.training.tailor_plan import TailorPlan

SHOWN = 8  # names in a warning, and warnings of one kind
OTHER_DIRECTION = "--set preference.direction=FILE takes others"


@dataclass(frozen=True)
class TuningData:
    """Captioned pictures, or prompts for a reward.

    Args:
        place: where they are, as the user gave it.
    """

    place: str
    captioned: CaptionedPictures | None = None
    prompts: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.captioned.pictures) if self.captioned else len(self.prompts)

    @property
    def in_words(self) -> str:
        """How many there are of what."""
        return plural(self.count, "picture" if self.captioned else "prompt")

    @property
    def failed(self) -> list[str]:
        """A line for each picture that cannot be used."""
        return self.captioned.unreadable if self.captioned else []


def read_data(plan: TailorPlan, console: Console) -> TuningData:
    """The data of a plan; warns of what is left out.

    Raises:
        InputError: it cannot be read, a caption or row is broken, or nothing is left.
    """
    config = plan.config
    if config.reward:
        return TuningData(config.reward, prompts=read_reward_prompts(config, console))
    captioned = read_captioned_pictures(Path(config.data))
    for line in captioned.unreadable:
        console.warn(f"left out: {line}")
    for line in describe_skipped(captioned.other_files):
        console.warn(line)
    if names := captioned.without_caption:
        count = plural(len(names), "picture")
        console.warn(f"left out, without a caption: {count}, {shorten_list(names, SHOWN)}")
    notes = [picture.note for picture, _ in captioned.pictures if picture.note]
    for note in notes[:SHOWN]:
        console.warn(note)
    return TuningData(config.data, captioned)


def read_reward_prompts(config: TailorPromptConfig, console: Console) -> list[str]:
    """The prompts of --reward.

    Raises:
        InputError: they cannot be read, or are too few for the direction of their reward.
    """
    rows = read_prompts(Path(config.reward), styles=None)
    if any(row.negative or row.seed is not None or row.count or row.style for row in rows):
        console.warn("negative, seed, count and style of the prompts do nothing here")
    prompts = [row.prompt for row in rows]
    preference = config.preference
    needs_direction = preference.model not in JUDGES and not preference.direction
    if needs_direction and (count := len({prompt.strip() for prompt in prompts})) < MIN_CAPTIONS:
        error = too_few_captions(preference.model, count)
        raise InputError(error.message, f"{error.hint}; {OTHER_DIRECTION}")
    return prompts
