import pytest

from stickerforge.data.english import plural, with_article


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
