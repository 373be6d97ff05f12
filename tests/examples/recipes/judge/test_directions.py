"""The captions of the common directions."""

from examples.recipes.judge.directions import FIRST, direction_captions
from tests.examples.recipes.mini.scenes import make_truths


class Scenes:
    """One scene of each kind, over and over."""

    def __init__(self):
        self.numbers = []

    def __getitem__(self, number):
        self.numbers.append(number)
        truths = [truth for truth in make_truths().values() if truth.style]
        return None, truths[number % len(truths)]


def test_one_half_is_short_and_one_half_long():
    scenes = Scenes()
    captions = direction_captions(scenes, 12)
    assert len(set(captions)) == 12 and min(scenes.numbers) == FIRST
    assert sum(caption.count(". ") > 2 for caption in captions) == 6
    assert captions == direction_captions(Scenes(), 12)
