"""The scenes of version 3, and what is withheld from it."""

import numpy as np

from examples.recipes.mini import (
    dataset_3,
)
from examples.recipes.mini.art import Subject
from examples.recipes.mini.scene import combinations, is_withheld
from examples.recipes.mini.settings import STYLES


def test_the_combinations_of_version_3_are_other_ones():
    names = [(f"1f4{i:02x}", style) for i in range(256) for style in ("noto", "flat")]
    both = [[is_withheld(part, *each) for each in names] for part in ("generator", "generator3")]
    assert (
        all(0.03 < np.mean(each) < 0.1 for each in both) and np.mean(np.logical_and(*both)) < 0.02
    )


def test_no_scene_of_version_3_shows_what_is_withheld_from_it(monkeypatch):
    names = [
        "cat face",
        "dog face",
        "fox",
        "robot",
        "key",
        "basket",
        "astronaut",
        "crown",
        "glasses",
        "top hat",
        "whale",
        "llama",
    ]
    subjects = [
        Subject(i, f"{i:x}", name, (), "" if name == "whale" else "thing")
        for i, name in enumerate(names)
    ]
    sprites = np.zeros((len(names), len(STYLES), 192, 192, 4), np.uint8)
    sprites[:, :, 40:150, 40:150] = (200, 60, 30, 255)
    monkeypatch.setattr(dataset_3, "load_subjects", lambda version: (subjects, sprites))
    scenes = dataset_3.training_world_3()
    assert [s.name for s in scenes.subjects] == names[
        :-2
    ]  # without what is held out, and what nobody asks for
    assert [s.name for s in dataset_3.training_world_3(everything=True).subjects] == names[:-1]
    monkeypatch.setattr(dataset_3.World3, "draw", lambda self, truth: (None, truth, 1.0))
    shown = [scenes[index][1] for index in range(1500)]
    assert not any(
        is_withheld("generator3", *each) for truth in shown for each in combinations(truth)
    )
    worn = {
        (scenes.by_name[thing.wears].codepoints, truth.style)
        for truth in shown
        for thing in truth.things
        if thing.wears in names
    }
    assert len(worn) > 6 and not any(is_withheld("generator3", *each) for each in worn)
    hidden = [scenes.truth(np.random.default_rng(index)) for index in range(1500)]
    assert 30 < sum(truth is not None and scenes.shows_withheld(truth) for truth in hidden) < 800
