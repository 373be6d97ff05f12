"""How far raters agree: the share of equal answers, and kappa, which takes chance out of it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from stickerforge.rating.ratings import Rating, latest

MIN_ITEMS = 10  # rated by several, below which kappa says nothing


@dataclass(frozen=True)
class Agreement:
    """How far raters agree.

    Args:
        items: how many were rated by two raters or more.
        raters: how many of them there are.
        share: of all pairs of answers to one item those that are equal; None without any.
        kappa: (share - chance) / (1 - chance), 1 for full agreement and 0 for that of chance;
            None with too few items, or where everybody always gave the same answer.
        kind: "cohen" where two raters answered, "fleiss" where more did, by how chance is taken.
    """

    items: int
    raters: int
    share: float | None = None
    kappa: float | None = None
    kind: str = ""

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        return {
            "items": self.items,
            "raters": self.raters,
            "share": None if self.share is None else round(self.share, 4),
            "kappa": None if self.kappa is None else round(self.kappa, 4),
            "kind": self.kind,
        }

    def line(self) -> str:
        """For people; "" where nothing can be said."""
        if self.share is None:
            return ""
        kappa = "" if self.kappa is None else f", kappa {self.kappa:.2f} ({self.kind})"
        return (
            f"{self.raters} raters agree on {self.share:.0%} of {self.items} that they share{kappa}"
        )


def agreement(ratings: Iterable[Rating]) -> Agreement:
    """How far the raters of one question agree."""
    answers = defaultdict[object, dict[str, object]](dict)
    for rating in latest(ratings):
        answers[rating.item][rating.rater] = rating.answer
    shared = [votes for votes in answers.values() if len(votes) > 1]
    raters = {rater for votes in shared for rater in votes}
    if not shared:
        return Agreement(0, 0)
    share = sum(pair_agreement(list(votes.values())) for votes in shared) / len(shared)
    two = len(raters) == 2
    chance = cohen_chance(shared, sorted(raters)) if two else fleiss_chance(shared)
    kappa = None
    if len(shared) >= MIN_ITEMS and chance < 1:
        kappa = (share - chance) / (1 - chance)
    return Agreement(len(shared), len(raters), share, kappa, "cohen" if two else "fleiss")


def pair_agreement(votes: Sequence[object]) -> float:
    """Share of equal pairs among the answers to one item, P_i of Fleiss (1971), equation 2."""
    count = len(votes)
    equal = sum(number * (number - 1) for number in Counter(votes).values())
    return equal / (count * (count - 1))


def cohen_chance(shared: Sequence[dict[str, object]], raters: Sequence[str]) -> float:
    """Agreement by chance of two raters who each keep their own shares of answers (Cohen, 1960)."""
    first, second = (Counter(votes[rater] for votes in shared) for rater in raters)
    return sum(first[answer] * second[answer] for answer in first) / len(shared) ** 2


def fleiss_chance(shared: Sequence[dict[str, object]]) -> float:
    """Agreement by chance of raters who share one distribution of answers (Fleiss, 1971)."""
    counts = Counter(answer for votes in shared for answer in votes.values())
    return sum(number**2 for number in counts.values()) / counts.total() ** 2
