"""Which pictures pass: what most of their raters say."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stickerforge.rating.rating_set import Accepted, Candidate, SingleQuestion
from stickerforge.rating.ratings import Rating, latest


@dataclass(frozen=True)
class Decision:
    """What people decided about the pictures of a set, each list in the order of the set.

    Args:
        accepted: more raters accepted it than did not, or its user gave it and nobody objected.
        rejected: as many did not as did, or more.
        unrated: nobody has said anything yet.
    """

    accepted: list[Accepted]
    rejected: list[Accepted]
    unrated: list[Candidate]

    @property
    def num_rated(self) -> int:
        """How many pictures were decided about."""
        return len(self.accepted) + len(self.rejected)


def decide(
    candidates: Sequence[Candidate], ratings: Iterable[Rating], question: SingleQuestion
) -> Decision:
    """What follows from ratings: the majority of a picture's raters decides, a tie is a no.

    Args:
        ratings: of any questions; of several of one rater about a picture the latest counts.
    """
    answers = defaultdict[str, list[bool]](list)
    for rating in latest(rating for rating in ratings if rating.question == question):
        answers[rating.picture].append(rating.answer is True)
    decision = Decision([], [], [])
    for candidate in candidates:
        votes = answers.get(candidate.file_name, [])
        passes = sum(votes)
        row = Accepted(candidate.file_name, candidate.text, passes, len(votes) - passes)
        if not votes and candidate.given:
            decision.accepted.append(row)
        elif not votes:
            decision.unrated.append(candidate)
        elif row.passes > row.fails:
            decision.accepted.append(row)
        else:
            decision.rejected.append(row)
    return decision
