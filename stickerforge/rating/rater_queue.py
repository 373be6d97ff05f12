"""In which order a rater sees what is to be rated: their own, and blind to where pictures are from.

The order is by a digest of rater and item. It stays the same when other items come or go, and
whoever was asked the same sees the same again after a restart.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Sequence

from stickerforge.rating.answer_rows import StoredAnswer
from stickerforge.rating.rating_task import Item


def blind_rank(rater: str, item: Item, purpose: str = "order") -> bytes:
    """Where an item stands in a rater's order, or which side its first picture is shown on."""
    return hashlib.sha256(
        repr((purpose, rater, item.key)).encode("utf-8", "backslashreplace")
    ).digest()


def is_swapped(rater: str, item: Item) -> bool:
    """Whether a rater is shown the first picture of a pair on the right."""
    return item.other is not None and bool(blind_rank(rater, item, "side")[0] & 1)


class RaterQueue:
    """What a rater has still to decide.

    Args:
        answers: of this rater to the question of the items, that count, in their order.
    """

    def __init__(self, rater: str, items: Sequence[Item], answers: Sequence[StoredAnswer]) -> None:
        self.rater, self.items = rater, items
        index = {item.key: number for number, item in enumerate(items)}
        # What is no longer in the set is neither counted nor undone.
        known = [answer for answer in answers if answer.item in index]
        self.given = [(answer.id, index[answer.item], bool(answer.rating)) for answer in known]
        answered = {number for _, number, is_rating in self.given if is_rating}
        skips = Counter(number for _, number, is_rating in self.given if not is_rating)
        ranks = [blind_rank(rater, item) for item in items]
        left = [number for number in range(len(items)) if number not in answered]
        self.pending = deque(sorted(left, key=lambda number: (skips[number], ranks[number])))

    @property
    def num_answered(self) -> int:
        """How many items have an answer."""
        return len(self.items) - len(self.pending)

    @property
    def last(self) -> int | None:
        """Id of the answer or skip that was given last; None where there is none."""
        return self.given[-1][0] if self.given else None

    @property
    def skipped(self) -> set[int]:
        """Indices of the items that were skipped and have no answer yet."""
        return {number for _, number, is_rating in self.given if not is_rating}

    def upcoming(self, count: int) -> list[int]:
        """Indices of the next items."""
        return [self.pending[place] for place in range(min(count, len(self.pending)))]

    def answer(self, id: int, index: int) -> None:
        """Note that an item was answered."""
        self.given = [entry for entry in self.given if entry[1] != index]
        self.given.append((id, index, True))
        if index in self.pending:
            self.pending.remove(index)

    def skip(self, id: int, index: int) -> None:
        """Note that an item was skipped: it comes again after all others."""
        self.given.append((id, index, False))
        if index in self.pending:
            self.pending.remove(index)
        self.pending.append(index)

    def undo(self) -> int | None:
        """Take back what was given last, whose item comes next; returns its index, if any."""
        if not self.given:
            return None
        _, index, _ = self.given.pop()
        if index in self.pending:
            self.pending.remove(index)
        self.pending.appendleft(index)
        return index
