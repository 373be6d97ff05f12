"""The pictures that a training of `tailor style` learns from, read before torch is loaded."""

from dataclasses import dataclass, field
from pathlib import Path

from stickerforge.data.captioned_pictures import CaptionedPictures, read_captioned_pictures
from stickerforge.data.picture_folder import describe_skipped
from stickerforge.errors import InputError
from stickerforge.rating.rating_set import OUTCOMES, SingleQuestion, is_set, set_folder
from stickerforge.runtime.console import Console
from stickerforge.runtime.text import plural, shorten_list
from stickerforge.training.style_plan import SetName, StylePlan

QUESTIONS: dict[str, SingleQuestion] = {"content": "match", "style": "style"}
SHOWN = 8  # names in a warning
FEWEST = 2  # pictures of a set
ENOUGH = 20  # fewer are learned by heart


@dataclass(frozen=True)
class StyleData:
    """Captioned pictures by the set that they are in."""

    sets: dict[SetName, CaptionedPictures] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many pictures there are."""
        return sum(len(pictures.pictures) for pictures in self.sets.values())

    @property
    def in_words(self) -> str:
        """How many there are of what."""
        return " and ".join(
            f"{plural(len(pictures.pictures), 'picture')} of {name}"
            for name, pictures in self.sets.items()
        )

    @property
    def failed(self) -> list[str]:
        """A line for each picture that cannot be used."""
        return [line for pictures in self.sets.values() for line in pictures.unreadable]


def read_sets(plan: StylePlan, name: str, console: Console) -> StyleData:
    """The sets of a plan; warns of what is left out.

    Args:
        name: of the tailored model.

    Raises:
        InputError: one was not decided about, or holds too few pictures.
    """
    data = StyleData({set_name: read_set(name, set_name, console) for set_name in plan.sets})
    digests = [{own.sha256 for own, _ in each.pictures} for each in data.sets.values()]
    if len(digests) == 2 and (both := len(digests[0] & digests[1])):
        console.warn(
            f"{plural(both, 'picture')} of both sets: learned at every noise level, like both"
        )
    return data


def read_set(name: str, set_name: SetName, console: Console) -> CaptionedPictures:
    """The pictures that people took into a set.

    Raises:
        InputError: nobody has decided yet, or too few pictures are left.
    """
    question = QUESTIONS[set_name]
    folder = set_folder(name, question)
    table = folder / OUTCOMES[question]
    if not table.exists():
        hint = f"decide about them: `stickerforge rate {name} --question {question}`"
        if not is_set(folder):
            hint = f"make them with --stage {set_name}"
        raise InputError(f"there are no {set_name} pictures of {name!r} yet", hint)
    pictures = CaptionedPictures()
    if table.stat().st_size:
        pictures = read_captioned_pictures(table)
    warn_of_losses(pictures, console)
    check_count(
        len(pictures.pictures),
        f"{set_name} pictures of {name!r}",
        f"`stickerforge rate {name} --question {question}` takes more",
        console,
    )
    return pictures


def check_count(count: int, what: str, hint: str, console: Console) -> None:
    """Make sure that there are enough pictures; warns of few.

    Raises:
        InputError: there are not.
    """
    if count < FEWEST:
        raise InputError(f"{count} {what} passed, and at least {FEWEST} are needed", hint)
    if count < ENOUGH:
        console.warn(f"{count} {what} are few: they may be learned by heart; {ENOUGH} would do")


def warn_of_losses(pictures: CaptionedPictures, console: Console) -> None:
    """Warn of pictures that cannot be used, or have no caption."""
    for line in pictures.unreadable:
        console.warn(f"left out: {line}")
    for line in describe_skipped(pictures.other_files):
        console.warn(line)
    if names := pictures.without_caption:
        count = plural(len(names), "picture")
        console.warn(f"left out, without a caption: {count}, {shorten_list(names, SHOWN)}")
    for note in [picture.note for picture, _ in pictures.pictures if picture.note][:SHOWN]:
        console.warn(note)


def read_domain(place: str, console: Console) -> StyleData:
    """The sticker-like pictures of a domain, before they are filtered; warns of what is left out.

    Raises:
        InputError: nothing is named, or no picture has a caption.
    """
    if not place:
        raise InputError(
            "say where sticker-like pictures with captions are", "give --set domain.data=FOLDER"
        )
    pictures = read_captioned_pictures(Path(place))
    warn_of_losses(pictures, console)
    return StyleData({"domain": pictures})


def check_domain(pictures: CaptionedPictures, console: Console) -> None:
    """Make sure that filters left enough of a domain.

    Raises:
        InputError: they did not.
    """
    hint = "give more, or loosen the settings of domain"
    check_count(len(pictures.pictures), "pictures of the domain", hint, console)
