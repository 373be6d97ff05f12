"""What a call of `tailor prompt` trains on, read and checked before torch is loaded."""

from dataclasses import dataclass, field
from pathlib import Path

from stickerforge.data.captioned_pictures import CaptionedPictures, read_captioned_pictures
from stickerforge.data.picture_folder import describe_skipped
from stickerforge.data.prompts import read_prompts
from stickerforge.runtime.console import Console
from stickerforge.runtime.text import plural
from stickerforge.training.tailor_plan import TailorPlan


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
        rows = read_prompts(Path(config.reward), styles=None)
        return TuningData(config.reward, prompts=[row.prompt for row in rows])
    captioned = read_captioned_pictures(Path(config.data))
    for line in captioned.unreadable:
        console.warn(f"left out: {line}")
    for line in describe_skipped(captioned.other_files):
        console.warn(line)
    if names := captioned.without_caption:
        console.warn(f"left out: {plural(len(names), 'picture')} without a caption ({names[0]} …)")
    return TuningData(config.data, captioned)
