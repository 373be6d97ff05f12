"""What the claims are told by.

Dominated areas, results under what decides them, what is asked beside a subject.
"""

import numpy as np
import pytest

from examples.experiments.bench.bench_items import CLEAR, Item
from examples.experiments.dco.concepts import Concept
from examples.experiments.dco.frontier import dominated_area, lead, lead_at, second_at
from examples.experiments.dco.plot import HEIGHT, WIDTH, curves_svg
from examples.experiments.dco.result_cache import ResultCache, Task
from examples.experiments.dco.scores import NEW_STYLE, plain_words, prompt_fit
from examples.recipes.mini.art import Subject
from examples.recipes.mini.scene import Thing, Truth


def test_the_dominated_area_is_that_of_the_union_of_rectangles():
    rng, grid = np.random.default_rng(3), (np.arange(1000) + 0.5) / 1000
    for _ in range(20):
        points = rng.uniform(-0.2, 1, (5, 2))
        covered = np.zeros((1000, 1000), bool)
        for first, second in points:
            covered |= (grid[:, None] < first) & (grid[None] < second)
        assert abs(dominated_area(points) - covered.mean()) < 3e-3
    assert dominated_area(np.array([[-1.0, 2.0], [0.5, -0.1]])) == 0


def test_a_lead_is_sure_where_every_subject_has_it_and_unsure_where_they_differ():
    rng = np.random.default_rng(0)
    theirs = rng.uniform(0.3, 0.6, (12, 4, 2))
    difference, low, high = lead(theirs + 0.1, theirs)
    assert 0 < low < difference < high
    _, low, high = lead(rng.permutation(theirs), theirs)
    assert low < 0 < high
    assert second_at(np.array([[0.2, 0.9], [0.5, 0.6]]), 0.4) == 0.6 and np.isnan(
        second_at(np.array([[0.2, 0.9]]), 0.4)
    )


def test_results_are_kept_under_everything_that_decides_them(tmp_path):
    def failing():
        raise AssertionError("it was known")

    folder = tmp_path / "some" / "claims"
    results = ResultCache(folder, lambda: {"judge": "a"})
    assert results.all([Task("one", {"rate": 1}, lambda: [1, 2])]) == [[1, 2]]
    again = ResultCache(folder, lambda: {"judge": "a"})
    assert again.all([Task("one", {"rate": 1}, failing), Task("one", {"rate": 2}, lambda: 5)]) == [
        [1, 2],
        5,
    ]
    assert ResultCache(folder, lambda: {"judge": "b"}).all(
        [Task("one", {"rate": 1}, lambda: 7)]
    ) == [7]


def test_several_processes_share_the_work(tmp_path):
    """While one makes the first of four results, another makes those that are left, and each has
    all in the end.
    """
    from threading import Event, Thread

    begun, others_done, made = Event(), Event(), []

    def slow():
        begun.set()
        assert others_done.wait(20)
        made.append(0)
        return 0

    def quick(number):
        made.append(number)
        if sorted(made) == [1, 2, 3]:
            others_done.set()
        return number

    tasks = [
        Task("0", {}, slow),
        *(Task(str(number), {}, lambda n=number: quick(n)) for number in (1, 2, 3)),
    ]
    found = []
    first = Thread(target=lambda: found.append(ResultCache(tmp_path, dict).all(tasks)))
    first.start()
    assert begun.wait(20)
    found.append(ResultCache(tmp_path, dict).all(tasks))
    first.join(20)
    assert found == [[0, 1, 2, 3]] * 2 and sorted(made) == [0, 1, 2, 3]


def test_fit_counts_what_is_beside_the_subject_alone():
    import torch

    from stickerforge.models.judge.model import load_judge
    from stickerforge.models.judge.network import Readings

    judge = load_judge("judge")
    subject, crown = Subject(0, "0", "llama", (), ""), "crown"
    truth = Truth("flat", (Thing(subject, colour="red", wears=crown, count=2),), "", CLEAR)
    item = Item("x", "worn", "", 0, "llama", truth)
    right = {
        "style": judge.styles.index("flat"),
        "presence": judge.labels.index(judge.label_of[crown]),
        "colours": judge.colours.index("red"),
        "count": 1,
    }
    labels = len(judge.labels)
    sizes = {
        "subject": labels,
        "presence": labels,
        "style": len(judge.styles),
        "colours": len(judge.colours),
        "count": 5,
    }

    def read(names):
        planes = {name: torch.zeros(1, size) for name, size in sizes.items()}
        planes["presence"][0, :40] = 1.0  # forty others are likelier than what is not there
        for name in names:
            planes[name][0, right[name]] = 5.0
        for name in set(right) - set(names):
            planes[name][0, (right[name] + 1) % sizes[name]] = 4.0
        return Readings(**planes)

    assert prompt_fit(item, read(right), 0, judge) == 1.0
    assert prompt_fit(item, read(["style", "count"]), 0, judge) == pytest.approx(1 / 3), (
        "it was shown in that style"
    )
    assert prompt_fit(item, read([]), 0, judge) == 0.0
    new = Item("x", NEW_STYLE, "", 0, "llama", Truth("flat", (Thing(subject),), "", CLEAR))
    assert (
        prompt_fit(new, read(["style"]), 0, judge) == 1.0
        and prompt_fit(new, read([]), 0, judge) == 0.0
    )


def test_the_base_is_asked_in_good_english():
    lesson = Concept("llama", "<llama>", "animal", [], [])
    assert plain_words("a <llama>, in flat style", lesson) == "an animal, in flat style"
    assert plain_words("a red <llama>", lesson) == "a red animal"
    assert plain_words("two <llama>, two cat faces", lesson) == "two animals, two cat faces"
    assert plain_words("three small <llama>", lesson) == "three small animals"


def test_arms_are_compared_where_the_other_quality_is_the_same():
    rng = np.random.default_rng(0)
    theirs = np.stack([np.linspace(0.2, 0.9, 4), np.linspace(0.9, 0.3, 4)], 1) + rng.normal(
        0, 0.02, (12, 4, 2)
    )
    ours = theirs + np.array([0.0, 0.1])
    difference, low, high = lead_at(ours, theirs, 0.5)
    assert (
        difference == pytest.approx(0.1)
        and low == pytest.approx(0.1)
        and high == pytest.approx(0.1)
    )
    assert all(np.isnan(lead_at(ours, theirs, 1.5))), "neither gets there"


def test_every_point_is_in_the_picture():
    from xml.etree import ElementTree as ET

    arms = {
        name: np.random.default_rng(n).uniform(0, 1, (4, 2))
        for n, name in enumerate(("dco", "a < b"))
    }
    page = ET.fromstring(curves_svg(arms, [(50, None), (100, None), (100, 0.5), (100, 1.0)], 0.4))
    mark = "{http://www.w3.org/2000/svg}"
    places = [(float(c.get("cx")), float(c.get("cy"))) for c in page.iter(f"{mark}circle")]
    assert len(places) == 8 and all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in places)
    texts = [text.text for text in page.iter(f"{mark}text")]
    assert "a < b" in texts and texts.count("50") == 2 and texts.count("w 0.5") == 2
    order = [x for x, _ in places[:2]]
    assert (order[0] < order[1]) == (arms["dco"][0, 0] < arms["dco"][1, 0])
