"""Agreement of raters, against worked examples of the literature."""

import pytest

from stickerforge.rating.agreement import agreement, fleiss_chance, pair_agreement
from tests.rating.sets import rating

# Fleiss (1971), as its usual worked example: ten subjects, fourteen raters, five categories.
FLEISS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


def table(rows):
    """Ratings of (first rater's answer, second rater's answer, how many pictures)."""
    pictures = [(a, b) for a, b, count in rows for _ in range(count)]
    return [
        rating(f"{number}", answer, rater)
        for number, answers in enumerate(pictures)
        for rater, answer in zip(("Ann", "Bob"), answers, strict=True)
    ]


def test_cohen_of_a_worked_example():
    found = agreement(
        table([(True, True, 20), (True, False, 5), (False, True, 10), (False, False, 15)])
    )
    assert (found.items, found.raters, found.kind) == (50, 2, "cohen")
    assert found.share == pytest.approx(0.7) and found.kappa == pytest.approx(0.4)
    assert found.line() == "2 raters agree on 70% of 50 that they share, kappa 0.40 (cohen)"


def test_fleiss_of_a_worked_example():
    votes = [[place for place, n in enumerate(row) for _ in range(n)] for row in FLEISS]
    share = sum(map(pair_agreement, votes)) / len(votes)
    chance = fleiss_chance([dict(enumerate(row)) for row in votes])
    assert (round(share, 3), round(chance, 3)) == (0.378, 0.213)
    assert round((share - chance) / (1 - chance), 3) == 0.210
    ratings = [
        rating(f"{number}", answer, f"rater {rater}")
        for number, row in enumerate(votes)
        for rater, answer in enumerate(row)
    ]
    found = agreement(ratings)
    assert (found.kind, found.raters) == ("fleiss", 14) and round(found.kappa, 3) == 0.210


@pytest.mark.parametrize(
    ("rows", "share", "kappa"),
    [
        ([(True, True, 9)], 1.0, None),  # too few
        ([(True, True, 30)], 1.0, None),  # nothing but one answer
        ([(True, True, 15), (False, False, 15)], 1.0, 1.0),
        ([(True, False, 15), (False, True, 15)], 0.0, -1.0),
    ],
)
def test_edges(rows, share, kappa):
    found = agreement(table(rows))
    assert (found.share, found.kappa) == (share, kappa)


def test_without_overlap_nothing_is_said():
    found = agreement([rating("a", True, "Ann"), rating("b", True, "Bob")])
    assert (found.items, found.share, found.kappa, found.line()) == (0, None, None, "")
    assert agreement([]).result() == {
        "items": 0,
        "raters": 0,
        "share": None,
        "kappa": None,
        "kind": "",
    }


def test_a_rater_does_not_agree_with_themselves():
    assert agreement([rating("a", True), rating("a", True)]).items == 0
