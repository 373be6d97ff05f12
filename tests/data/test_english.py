import pytest

from stickerforge.data.english import plural, replace_noun, with_article


@pytest.mark.parametrize(
    ("name", "one", "more"),
    [
        ("cat", "a cat", "cats"),
        ("apple", "an apple", "apples"),
        ("unicorn", "a unicorn", "unicorns"),
        ("x-ray", "an x-ray", "x-rays"),
        ("hourglass", "an hourglass", "hourglasses"),
        ("grapes", "grapes", "grapes"),
        ("mouse", "a mouse", "mice"),
        ("fox", "a fox", "foxes"),
        ("cactus", "a cactus", "cactuses"),
        ("piece of cake", "a piece of cake", "pieces of cake"),
        ("cherry", "a cherry", "cherries"),
        ("French fries", "French fries", "French fries"),
        ("taco", "a taco", "tacos"),
        ("spaghetti", "spaghetti", "spaghetti"),
        ("umbrella with rain drops", "an umbrella with rain drops", "umbrellas with rain drops"),
        ("sunrise over mountains", "a sunrise over mountains", "sunrises over mountains"),
        ("compass", "a compass", "compasses"),
        ("key", "a key", "keys"),
        ("T-Rex", "a T-Rex", "T-Rexes"),
        ("goat", "a goat", "goats"),
    ],
)
def test_names_are_counted_as_people_do(name, one, more):
    assert (with_article(name), plural(name)) == (one, more)


@pytest.mark.parametrize(
    ("text", "words", "plain"),
    [
        ("a <x>", "animal", "an animal"),
        ("an <x> on a beach", "dog", "a dog on a beach"),
        ("A <x> and a cat", "owl", "An owl and a cat"),
        ("two <x>", "animal", "two animals"),
        ("three small <x> in a row", "mouse", "three small mice in a row"),
        ("a pair of <x>", "fox", "a pair of foxes"),
        ("12 <x>", "piece of cake", "12 pieces of cake"),
        ("many <x>, in flat style", "french bulldog", "many french bulldogs, in flat style"),
        ("a red <x>", "apple", "a red apple"),
        ("the <x>, my <x>", "apple", "the apple, my apple"),
        ("a photo of a <x>", "umbrella", "a photo of an umbrella"),
        ("a <x> with two hats", "grapes", "grapes with two hats"),
        ("two cats and a <x>", "hourglass", "two cats and an hourglass"),
        ("two cats with <x>", "child", "two cats with child"),
        ("<x>", "unicorn", "unicorn"),
        ("a cat", "unicorn", "a cat"),
    ],
)
def test_words_in_place_of_a_placeholder_are_english(text, words, plain):
    assert replace_noun(text, "<x>", words) == plain
