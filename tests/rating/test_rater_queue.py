"""The order in which raters see things."""

from stickerforge.rating.answer_rows import StoredAnswer
from stickerforge.rating.rater_queue import RaterQueue, is_swapped
from stickerforge.rating.rating_set import Candidate
from stickerforge.rating.rating_task import Item
from tests.rating.sets import rating

ITEMS = [Item(Candidate(f"{number}.png", "a cat")) for number in range(200)]
PAIRS = [Item(Candidate(f"{n}a", ""), Candidate(f"{n}b", "")) for n in range(400)]


def order(rater, items=ITEMS):
    queue = RaterQueue(rater, items, [])
    return [items[place].picture.file_name for place in queue.upcoming(len(items))]


def test_the_order_is_the_raters_own_and_no_other_order_tells_of_it():
    ann, bob = order("Ann"), order("Bob")
    assert ann == order("Ann") and ann != bob and sorted(ann) == sorted(bob)
    for one in (ann, bob):
        places = [int(name.split(".")[0]) for name in one]
        neighbours = sum(abs(a - b) == 1 for a, b in zip(places, places[1:], strict=False))
        assert neighbours < 12, "nor is it that of the files"


def test_what_comes_later_changes_nothing_of_the_order():
    before = order("Ann", ITEMS[:150])
    assert [name for name in order("Ann") if name in before] == before


def test_sides_are_even_and_differ_by_rater():
    for rater in ("Ann", "Bob"):
        assert 150 < sum(is_swapped(rater, item) for item in PAIRS) < 250
    same = sum(is_swapped("Ann", item) == is_swapped("Bob", item) for item in PAIRS)
    assert 150 < same < 250
    assert not any(is_swapped("Ann", item) for item in ITEMS)


def test_answers_about_what_is_no_longer_there_do_not_count():
    gone = StoredAnswer(7, "Ann", "gone.png", None, rating("gone.png", True))
    queue = RaterQueue("Ann", ITEMS, [gone])
    assert (queue.num_answered, queue.last, queue.undo()) == (0, None, None)


def test_after_a_restart_the_same_comes_next():
    queue = RaterQueue("Ann", ITEMS[:6], [])
    stored = []
    for number, act in enumerate(["answer", "skip", "skip", "answer", "skip"]):
        (index,) = queue.upcoming(1)
        getattr(queue, act)(number, index)
        name = ITEMS[index].picture.file_name
        kept = rating(name, True) if act == "answer" else None
        stored.append(StoredAnswer(number, "Ann", name, None, kept))
    later = RaterQueue("Ann", ITEMS[:6], stored)
    assert set(later.upcoming(6)) == set(queue.upcoming(6)) and later.last == queue.last == 4
    assert later.upcoming(1) == queue.upcoming(1)
    assert (later.num_answered, later.skipped) == (queue.num_answered, queue.skipped)
    assert later.undo() == queue.undo()
