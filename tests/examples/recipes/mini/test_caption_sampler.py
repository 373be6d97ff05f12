"""Captions of version 3: everyday words, keywords, places and mirrors."""

import numpy as np

from examples.recipes.mini import (
    art,
    caption_sampler,
    phrase_lists,
)
from tests.examples.recipes.mini.scenes import make_subject, make_truths


def test_what_people_type_names_learned_things():
    table = caption_sampler.everyday_words()
    assert set(table) <= set(art.learned_kinds(3))
    assert "corgi" in table["dog face"][0] and "thanks" in table["folded hands"][1]
    assert not any(
        word != word.lower() for both in table.values() for words in both for word in words
    )


def test_a_scene_is_told_by_the_words_that_people_use():
    subjects = [
        make_subject("cat face", keywords=("whiskers", "pet", "jar", "lovely")),
        make_subject("dog face", "1f436", ("pet", "woof")),
    ]
    subjects += [make_subject(f"thing {i}", f"{i:x}", ("pet",)) for i in range(3)]
    assert caption_sampler.distinctive_keywords(subjects, {"Cat", "jar"})["cat face"] == (
        "whiskers",
    )
    tell, scene = caption_sampler.CaptionSampler(subjects, {"jar"}), make_truths()["plain"]
    said = [tell(scene, np.random.default_rng(i)).lower() for i in range(400)]
    for words in ("kitty", "whiskers", "cat face", "cat"):
        assert any(words in each for each in said), words
    assert 0.05 < np.mean([each == "" for each in said]) < 0.16


def test_what_is_told_of_a_place_or_a_mirror_is_told_always():
    tell = caption_sampler.CaptionSampler(
        [thing.subject for thing in make_truths()["pair"].things], set()
    )
    said = {
        kind: [tell(make_truths()[kind], np.random.default_rng(i)).lower() for i in range(300)]
        for kind in ("small", "mirrored")
    }
    assert all("left" in each or "small" in each for each in said["small"] if each)
    assert (
        np.mean(
            [
                any(words in each for words in phrase_lists.MIRROR_PHRASES)
                for each in said["mirrored"]
                if each
            ]
        )
        > 0.9
    )  # but for slips
