"""The aspects of quality that pictures are chosen by, before a network is loaded."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from stickerforge.errors import InputError, nearest
from stickerforge.models.hub import REWARDS, reward_place

OWN = ("alignment", "style", "validity")  # of which nothing has to be fetched
WITH_WEIGHTS = tuple(name for name in REWARDS if name != "lpips")  # which compares two pictures
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,29}")
OTHER_JUDGE = {"second": "judge", "judge": "second"}


@dataclass(frozen=True)
class AspectName:
    """An aspect as it was asked for.

    Args:
        place: of its weights: a folder or owner/name of the hub; "" where there are none.
        judge: which judge it is measured by; "" for the one that chooses.
    """

    name: str
    place: str = ""
    judge: str = ""

    @property
    def title(self) -> str:
        """Its name in tables: "alignment@judge" is measured by the other judge."""
        return f"{self.name}@{self.judge}" if self.judge else self.name


def read_aspects(texts: Sequence[str], given: Collection[str] = ()) -> list[AspectName]:
    """The aspects that pictures are to be chosen by.

    Args:
        texts: names, KIND=PLACE for those with weights, several with commas in between.
        given: names of those that come as functions.

    Raises:
        InputError: there is none, one is unknown, named twice, or its weights are not there.
    """
    parts = [part.strip() for text in texts for part in text.split(",") if part.strip()]
    aspects = [read_aspect(part, given) for part in dict.fromkeys([*parts, *given])]
    if not aspects:
        raise InputError("no aspect is named", f"give --aspects {OWN[0]}, or others of {known()}")
    names = [aspect.name for aspect in aspects]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"the aspect {twice[0]!r} is named twice", "name it once")
    return aspects


def read_aspect(text: str, given: Collection[str]) -> AspectName:
    """One aspect.

    Raises:
        InputError: it is unknown, or its weights are not there.
    """
    name, equals, place = text.partition("=")
    if name in given and not equals:
        if name in (*OWN, *WITH_WEIGHTS) or not NAME.fullmatch(name):
            raise InputError(
                f"a function cannot be the aspect {name!r}",
                "give it a name of its own, in letters, digits and dashes",
            )
        return AspectName(name)
    if name in OWN and not equals:
        return AspectName(name)
    if name in OWN:
        raise InputError(f"the aspect {name!r} takes no weights", f"give --aspects {name}")
    if name not in WITH_WEIGHTS:
        raise InputError(f"unknown aspect {name!r}", nearest(name, (*OWN, *WITH_WEIGHTS), known()))
    try:
        return AspectName(name, reward_place(text)[1])
    except InputError as error:
        message = error.message.removeprefix("--").replace(f"reward {name}:", f"aspect {name}:")
        raise InputError(message, f"give --aspects {name}=FOLDER, with its weights") from None


def known() -> str:
    """All names."""
    return ", ".join((*OWN, *WITH_WEIGHTS))


def measured_aspects(asked: Sequence[AspectName], model: str) -> list[AspectName]:
    """What is measured of every picture: what is asked for, what else costs nothing, other judges.

    Whoever chooses is no measure of the choice, so the other judge measures, too.

    Args:
        model: what chooses by alignment.
    """
    names = {aspect.name for aspect in asked}
    others = [AspectName(name) for name in OWN if name not in names]
    other_judge = OTHER_JUDGE.get(model, "judge")
    independent = [AspectName("alignment", judge=other_judge), AspectName("style", judge="judge")]
    return [*asked, *others, *independent]
