"""The pictures that a training of `tailor style` learns from, read before torch is loaded."""

from dataclasses import dataclass, field
from pathlib import Path

from stickerforge.config.schema import RateConfig
from stickerforge.data.captioned_pictures import (
    CaptionedPictures,
    Row,
    add_pictures,
    read_captioned_pictures,
)
from stickerforge.data.picture_losses import warn_of_losses
from stickerforge.errors import InputError
from stickerforge.rating.answer_store import STORE, AnswerStore
from stickerforge.rating.outcome import find_outcome
from stickerforge.rating.plan import plan_rating
from stickerforge.rating.rating_set import (
    OUTCOMES,
    Accepted,
    SingleQuestion,
    is_set,
    read_accepted,
    set_folder,
)
from stickerforge.runtime.console import Console
from stickerforge.runtime.text import plural
from stickerforge.training.style_plan import SetName, StylePlan

QUESTIONS: dict[str, SingleQuestion] = {"content": "match", "style": "style"}
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
            f"{plural(both, 'picture')} of both sets: what is to part content and style does not"
            " part these"
        )
    return data


def read_set(name: str, set_name: SetName, console: Console) -> CaptionedPictures:
    """The pictures that people took into a set, by all answers there are.

    Raises:
        InputError: nobody has decided yet, or too few pictures are left.
    """
    question = QUESTIONS[set_name]
    folder = set_folder(name, question)
    accepted, unrated = accepted_pictures(name, set_name)
    pictures = CaptionedPictures()
    rows = [Row(folder / row.file_name, row.text) for row in accepted]
    add_pictures(pictures, rows, folder / OUTCOMES[question])
    warn_of_losses(pictures, console)
    hint = f"`stickerforge rate {name} --question {question}` decides about {unrated} more"
    if not unrated:
        more = "content.prompts=NUMBER" if set_name == "content" else "style.data=FOLDER"
        hint = (
            f"give more: `stickerforge tailor style --name {name} --stage {set_name}`, --set {more}"
        )
    count = plural(len(pictures.pictures), f"{set_name} picture")
    check_count(len(pictures.pictures), f"{count} of {name!r}", hint, console)
    return pictures


def accepted_pictures(name: str, set_name: SetName) -> tuple[list[Accepted], int]:
    """(what people took into a set, how many pictures nobody has decided about).

    The answers count and not the table that follows from them: a page may have been killed before
    it was written.

    Raises:
        InputError: there is no such set, or nobody has decided yet.
    """
    question = QUESTIONS[set_name]
    folder = set_folder(name, question)
    if is_set(folder) and (folder / STORE).exists():
        task = plan_rating(RateConfig(run=name, question=question))
        with AnswerStore(folder / STORE) as store:
            decision = find_outcome(task, store).decision
        if decision and (decision.accepted or decision.rejected):
            return decision.accepted, len(decision.unrated)
    elif (folder / OUTCOMES[question]).exists():
        return read_accepted(folder, question), 0
    hint = f"decide about them: `stickerforge rate {name} --question {question}`"
    if not is_set(folder):
        hint = f"make them with --stage {set_name}"
    raise InputError(f"there are no {set_name} pictures of {name!r} yet", hint)


def check_count(count: int, what: str, hint: str, console: Console) -> None:
    """Make sure that there are enough pictures; warns of few.

    Args:
        what: how many there are of what.

    Raises:
        InputError: there are not.
    """
    if count < FEWEST:
        raise InputError(f"{what} passed, and at least {FEWEST} are needed", hint)
    if count < ENOUGH:
        console.warn(f"{what}: so few may be learned by heart, {ENOUGH} would do")


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
    count = len(pictures.pictures)
    check_count(count, f"{plural(count, 'picture')} of the domain", hint, console)
