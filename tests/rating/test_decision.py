"""The majority decides; a tie is a no; the latest answer of a rater counts, once."""

import pytest

from stickerforge.rating.decision import decide
from stickerforge.rating.rating_set import Candidate
from tests.rating.sets import rating

CANDIDATES = [Candidate(name, f"a {name}") for name in ("cat", "dog", "owl")]


def names(rows):
    return [row.file_name for row in rows]


def votes(picture, *answers):
    return [rating(picture, answer, f"rater {n}") for n, answer in enumerate(answers)]


@pytest.mark.parametrize(
    ("answers", "accepted"),
    [
        ([True], True),
        ([False], False),
        ([True, False], False),
        ([True, False, True], True),
        ([True, False, False, True], False),
        ([True] * 3 + [False] * 2, True),
    ],
)
def test_the_majority_decides(answers, accepted):
    decision = decide(CANDIDATES, votes("dog", *answers), "match")
    assert names(decision.accepted) == (["dog"] if accepted else [])
    assert names(decision.rejected) == ([] if accepted else ["dog"])
    assert names(decision.unrated) == ["cat", "owl"]
    (row,) = decision.accepted or decision.rejected
    assert (row.passes, row.fails) == (sum(answers), len(answers) - sum(answers))
    assert row.text == "a dog" and decision.num_rated == 1


def test_the_latest_answer_of_a_rater_counts_once():
    early, late = "2026-01-01T00:00:00Z", "2026-01-01T02:00:00+01:00"  # an hour later
    for order in (1, -1):
        both = [rating("cat", True, time=early), rating("cat", False, time=late)][::order]
        decision = decide(CANDIDATES, [*both, *both], "match")
        assert names(decision.rejected) == ["cat"]
        assert (decision.rejected[0].passes, decision.rejected[0].fails) == (0, 1)


def test_other_questions_and_pictures_of_others_do_not_count():
    ratings = [rating("cat", True, question="style"), rating("gone", True)]
    decision = decide(CANDIDATES, ratings, "match")
    assert not decision.num_rated and len(decision.unrated) == 3
    assert names(decide(CANDIDATES, ratings, "style").accepted) == ["cat"]


def test_the_order_is_that_of_the_set():
    ratings = [rating(name, True) for name in ("owl", "cat", "dog")]
    assert names(decide(CANDIDATES, ratings, "match").accepted) == ["cat", "dog", "owl"]
