"""Texts in parts: whole sentences where they fit, and nothing is lost."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stickerforge.sampling.prompt_segments import fit, official_sentences, sentences, windows

PIECES = st.sampled_from(
    [
        *"abZ 9.,;:!?…\"'()“”「」。，、！？؟،।\n\u200f\u0301",
        *("Dr.", "3.5", "e.g.", "cat", " and ", "<dog>", "<dr.who>", "猫がいる", "红色的猫", "แมว"),
        *(
            "قطة حمراء",
            "👨\u200d👩\u200d👧",
            "🇩🇪",
            "e\u0301",
            "\u3000",
            "...",
            ". ",
            "! ",
            "한국어",
        ),
    ]
)
TEXTS = st.lists(PIECES, max_size=40).map("".join)
WORDS = st.lists(st.sampled_from(["cat", "red,", "sits.", "Mr.", "“oh”", "<dog>", "x-y"]))


def black(text):
    """A text without its white space."""
    return "".join(text.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A cat sits. it is red! Is it? Yes", ["A cat sits.", "it is red!", "Is it?", "Yes"]),
        ("Dr. Fox vs. Mr. Owl. They met.", ["Dr. Fox vs. Mr. Owl.", "They met."]),
        ("At 9 a.m. in the U.S. Navy. Then J. R. Fox came.", 2),
        ("Apples, pears etc. The end. Fruit, e.g. a pear, ca. 3 kg.", 3),
        ("No. 5 is red. Really? No. It is 3.5 m tall.", 4),
        ("1. A cat. 2. A dog. There are 2. More come.", 4),
        ('"Wow! It is big." says a fox. "No." Then he left.', 3),
        ("(He ran. She sat.) Then they left [at 9. Or 10. ok].", 2),
        ("„Halt! Wer da?“ fragt er. «Moi. Toujours moi.» Ende.", 2 + 1),
        ('A 3" nail. A 4" nail.', 2),
        ("well... no. Then… The cat! See www.example.com now.", 4),
        ("他说：“走吧。”然后离开了。她笑了！真的吗？", 3),
        ("太好了!我们走吧。高３．５米。", 3),
        ("「こんにちは。」「さようなら。」と彼は言った。猫がいる。", 3),
        ("قطة حمراء. هل هي كبيرة؟ نعم، كبيرة.", 3),
        ("ایک بلی۔ وہ سرخ ہے۔", 2),
        ("बिल्ली लाल है। वह बैठी है।", 2),
        ("Կատու։ Շուն։", 2),
        ("a cat\n\na dog\u2028a tree", 3),
        ("a <dr.who> b. c <x.!y>. d", ["a <dr.who> b.", "c <x.!y>.", "d"]),
        ("A cat. قطة. 猫。ok", 4),
        ("...", ["..."]),
        ("?!. ,", ["?!.", ","]),
        ("🐱🐶", ["🐱🐶"]),
        ("", []),
        (" \n\t\u3000", []),
    ],
)
def test_sentences(text, expected):
    found = sentences(text)
    assert (found if isinstance(expected, list) else len(found)) == expected, found
    assert black("".join(found)) == black(text)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.integers(1, 12))
def test_nothing_is_lost_and_everything_fits(text, limit):
    for parts in (
        fit(sentences(text), len, limit),
        fit([text], len, limit),
        windows(text, len, limit),
    ):
        assert black("".join(parts)) == black(text)
        assert all(part == part.strip() and 0 < len(part) <= limit for part in parts)
    assert black("".join(sentences(text))) == black(text)


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_what_fits_is_one_window(text):
    assert windows(text, len, max(1, len(text))) == ([text.strip()] if text.strip() else [])


@settings(max_examples=100, deadline=None)
@given(WORDS, st.integers(8, 30))
def test_words_stay_whole(words, limit):
    parts = windows(" ".join(words), len, limit)
    assert [word for part in parts for word in part.split()] == words
    for before, after in zip(parts, parts[1:], strict=False):
        assert len(f"{before} {after.split()[0]}") > limit or re.search(r"[.,”]$", before)


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.integers(9, 20))
def test_placeholders_stay_whole(text, limit):
    text = f"{text}<dr.who, me>{text}<dog>{text}my token. two"
    whole = ("my token. two",)
    for parts in (windows(text, len, max(limit, 13), whole), fit([text], len, 13, whole)):
        for token in ("<dog>", "my token. two"):
            assert sum(part.count(token) for part in parts) == text.count(token)
    assert all("<dog" not in part or "<dog>" in part for part in sentences(text, whole))


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("A red cat, with a hat, sits.", 17, ["A red cat,", "with a hat, sits."]),
        ("A red cat, a hat, two", 12, ["A red cat,", "a hat, two"]),
        ("它有红色的帽子，坐在桌子上，很开心", 8, ["它有红色的帽子，", "坐在桌子上，", "很开心"]),
        ("1,000 cats: 16:9 – wide", 11, ["1,000 cats:", "16:9 – wide"]),
        ("猫が赤い帽子をかぶっている", 9, ["猫が赤い", "帽子をかぶっている"]),
        ("แมวเหมียว", 4, ["แมว", "เหมี", "ยว"]),
        ("👨\u200d👩\u200d👧🇩🇪🇫🇷", 6, ["👨\u200d👩\u200d👧", "🇩🇪🇫🇷"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("<abcdefgh>", 4, ["<abc", "defg", "h>"]),
    ],
)
def test_what_does_not_fit_is_divided_where_it_hurts_least(text, limit, expected):
    found = fit([text], len, limit)
    assert found == expected
    assert all(len(part) <= limit for part in found) and black("".join(found)) == black(text)


def test_sentences_share_windows():
    text = "A red cat sits. It is happy, and it runs fast. ok"
    assert windows(text, len, 20) == ["A red cat sits.", "It is happy,", "and it runs fast. ok"]
    assert windows(text, len, 46) == ["A red cat sits. It is happy, and it runs fast.", "ok"]


@pytest.mark.parametrize(("text", "most"), [("word " * 10_000, 140), ("🐱" * 10_000, 140)])
def test_long_texts_take_a_moment(text, most):
    found = windows(text, lambda part: len(part.split()) if " " in part else len(part), 75)
    assert len(found) <= most and black("".join(found)) == black(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'A cat sits. "Wow"! It is 3.5 m tall; really? Yes! done',
            ["A cat sits.", ' "Wow.', " It is 3.", "5 m tall; really.", " Yes! done."],
        ),
        ("no punctuation", ["no punctuation."]),
        ("Ends with dot. ", ["Ends with dot.", " ."]),
        ("Mr. Fox at 10 a.m.", ["Mr.", " Fox at 10 a.", "m."]),
        ("", [""]),
    ],
)
def test_the_official_splitter(text, expected):
    assert official_sentences(text) == expected
