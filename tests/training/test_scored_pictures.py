"""The table of scores: nothing is scored twice, and a kill loses little."""

import json

import pytest
from PIL import Image

from stickerforge.errors import InputError
from stickerforge.evaluation.aspects import CustomAspect
from stickerforge.runtime.console import Console
from stickerforge.training.drawn_set import DrawnPicture, DrawnSet
from stickerforge.training.scored_pictures import TABLE, score_set


class Counting:
    """A function that gives the red of pictures, and counts them."""

    def __init__(self):
        self.count = 0

    def __call__(self, pictures, prompts):
        self.count += len(pictures)
        return [picture.getpixel((0, 0))[0] for picture in pictures]


@pytest.fixture
def drawn(tmp_path):
    pictures = []
    for number in range(20):
        Image.new("RGBA", (16, 16), (number, 0, 0, 255)).save(tmp_path / f"{number}.png")
        pictures.append(DrawnPicture(f"{number}.png", f"prompt {number // 2}", number))
    return DrawnSet(tmp_path, pictures, ["one failed"])


def score(drawn, function):
    return score_set(drawn, [CustomAspect("red", function)], Console(quiet=True))


def test_nothing_is_scored_twice(drawn):
    counting = Counting()
    first = score(drawn, counting)
    assert [row.scores["red"] for row in first.rows] == list(range(20)) and counting.count == 20
    assert first.failed == ["one failed"] and first.path("prompt 3", 7).name == "7.png"
    assert score(drawn, counting).rows == first.rows and counting.count == 20


def test_after_a_kill_only_the_rest_is_scored(drawn):
    def dies(pictures, prompts):
        if pictures[0].getpixel((0, 0))[0] >= 16:
            raise KeyboardInterrupt
        return [picture.getpixel((0, 0))[0] for picture in pictures]

    with pytest.raises(KeyboardInterrupt):
        score(drawn, dies)
    table = drawn.folder / TABLE
    assert len(table.read_text().splitlines()) == 16
    table.write_text(table.read_text()[:-9])  # a kill in the middle of a line
    counting = Counting()
    assert [row.scores["red"] for row in score(drawn, counting).rows] == list(range(20))
    assert counting.count == 8 + 4, "what is scored together is the same"
    assert all(json.loads(line) for line in table.read_text().splitlines())


def test_an_unreadable_picture_is_named_and_the_others_go_on(drawn):
    (drawn.folder / "3.png").write_bytes(b"nothing")
    scored = score(drawn, Counting())
    assert len(scored.rows) == 19 and len(scored.failed) == 2 and "3.png" in scored.failed[1]


def test_a_broken_table_is_one_line(drawn):
    (drawn.folder / TABLE).write_text('{"file_name": 3}\n')
    with pytest.raises(InputError, match="line 1"):
        score(drawn, Counting())
