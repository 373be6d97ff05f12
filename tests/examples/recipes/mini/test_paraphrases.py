"""Paraphrases keep what changes a picture, and hold nothing back from the bench."""

import re

import numpy as np

from examples.recipes.mini import (
    paraphrases,
    phrase_lists,
)
from examples.recipes.mini.settings import HERE
from tests.examples.recipes.mini.scenes import make_truths

COMMON = set(
    "a an and for me my i is it in on of the to with can you just do image high about how".split()
)


def test_no_word_of_the_wordings_that_are_never_taught_is_taught():
    rows = [
        line.split("\t")
        for line in (HERE / "wordings.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    never = [wording for name, wording in rows if name != "common"]
    assert len(never) == 24 and len(rows) > 60
    for wording in never:
        own = set(re.findall(r"[\w']+", wording.replace("{}", "").lower()))
        assert own - phrase_lists.listed_words() - COMMON or wording == "how about a {}", wording
    listed = phrase_lists.listed_words()
    assert not listed & {
        "gimme",
        "lovely",
        "awesome",
        "endearing",
        "conjure",
        "coworkers",
        "precious",
        "gorgeous",
        "about",
        "how",
    }


def test_words_around_a_thing_leave_what_changes_a_picture(monkeypatch):
    monkeypatch.setattr(paraphrases, "TYPO_SHARE", 0.0)
    kept = {
        "colour": ["purple cat"],
        "count": ["3|three"],
        "small": ["small", "at the top left", "red (ground|background)"],
        "crown": ["crown"],
        "suit": ["astronaut|space suit"],
        "pair": ["cat", "to the left of", "dog", "on a beach"],
        "mirrored": ["|".join(phrase_lists.MIRROR_PHRASES)],
    }
    for kind, truth in make_truths().items():
        texts = [
            paraphrases.paraphrase(truth, np.random.default_rng(i)).text.lower() for i in range(60)
        ]
        assert len(set(texts)) > 50  # another one each time
        for words in texts:
            assert "cat" in words and all(re.search(part, words) for part in kept.get(kind, [])), (
                words
            )
            assert kind == "small" or "small" not in words
        share = (
            np.mean([f"{truth.style} style" in words for words in texts]) if truth.style else 0.0
        )
        assert (
            (0.5 < share < 0.95)
            if truth.style
            else not any(
                " in " in words and " style" in words
                for words in texts
                if "cute style" not in words
            )
        )


def test_a_slip_changes_one_word_a_little():
    for i in range(40):
        before, after = (
            "a purple elephant",
            paraphrases.add_typo("a purple elephant", np.random.default_rng(i)),
        )
        changed = [
            pair for pair in zip(before.split(), after.split(), strict=True) if pair[0] != pair[1]
        ]
        assert len(changed) <= 1 and all(
            abs(len(a) - len(b)) <= 1 and a[0] == b[0] for a, b in changed
        )
