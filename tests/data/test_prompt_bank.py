"""The prompt bank: deterministic, balanced, without two prompts that say the same."""

import re
from collections import Counter
from itertools import islice

import pytest

from stickerforge.data.prompt_bank import (
    FAMILIES,
    bank_prompts,
    normalize,
    read_bank,
)

ATTRIBUTES = {"appearance", "emotion", "action", "composition", "style", "background"}


def prompt_bank(count, *arguments, **options):
    """The first prompts of the bank."""
    return list(islice(bank_prompts(*arguments, **options), count))


def test_more_prompts_begin_with_the_same_ones_and_another_seed_gives_others():
    assert prompt_bank(30, 7) == prompt_bank(90, 7)[:30] == prompt_bank(30, 7)
    assert (
        len({one.text for one in prompt_bank(60, 1)} & {one.text for one in prompt_bank(60, 2)}) < 6
    )


@pytest.mark.parametrize("families", [FAMILIES, ("pair",), ("activity", "emotion")])
def test_families_are_balanced(families):
    counts = Counter(one.family for one in prompt_bank(100, 3, families))
    assert set(counts) == set(families)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_no_prompt_says_the_same_as_another():
    prompts = prompt_bank(6000, 0)
    plain = [
        " ".join(sorted(word for word in re.findall("[a-z-]+", one.text.lower()) if len(word) > 2))
        for one in prompts
        if " and " in one.text
    ]
    assert len(plain) == len(set(plain)) > 20  # in whatever order "and" joins them
    assert len({one.text.lower() for one in prompts}) == len(prompts) == 6000


def test_prompts_are_english_and_say_which_attributes_they_have():
    for one in prompt_bank(3000, 0):
        assert not re.search(r"\ba [aeio]", one.text), one.text
        assert not re.search(r"\ban [^aeiouh]", one.text), one.text
        assert "{" not in one.text and "  " not in one.text
        assert one.attributes and set(one.attributes) <= ATTRIBUTES
        assert len(one.attributes) >= 2


def test_the_lists_are_those_of_the_paper_in_size():
    words = read_bank()["words"]
    assert len(words["emotions"]) == 36
    for name, entries in words.items():
        assert len(set(entries)) == len(entries), name


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("cat and dog", "dog and cat"),
        ("A Cat!", "the  cat"),
        ("a cat and a big dog", "the big dog, and a cat."),
        ("an old man’s hat", "old man's hat"),
    ],
)
def test_texts_that_say_the_same(first, second):
    assert normalize(first) == normalize(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [("cat on dog", "dog on cat"), ("a cat", "cats"), ("brand", "br and"), ("sandy cat", "s cat")],
)
def test_texts_that_do_not(first, second):
    assert normalize(first) != normalize(second)


def test_a_model_that_knows_few_words_gets_few_prompts_and_no_endless_search():
    known = set("a an cat dog happy sad and on beach reading book".split())

    def reword(text, things):
        return text if set(text.lower().split()) <= known else ""

    prompts = prompt_bank(10_000, 0, reword=reword)
    assert {"a happy cat", "a sad dog"} <= {one.text for one in prompts}
    assert all(set(one.text.split()) <= known for one in prompts)
    assert {one.family for one in prompts} == set(FAMILIES)
    assert list(bank_prompts(0, reword=lambda text, things: "")) == []


def test_a_model_that_calls_everything_the_same_gets_one_prompt():
    assert [one.text for one in prompt_bank(5, 0, ("emotion",), lambda text, things: "cat")] == [
        "cat"
    ]
