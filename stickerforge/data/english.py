"""English for names of things: articles, plurals, and names in place of others."""

import re

NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "2": 2, "3": 3, "4": 4, "5": 5}
IRREGULAR = {
    "mouse": "mice",
    "goose": "geese",
    "wolf": "wolves",
    "leaf": "leaves",
    "knife": "knives",
    "loaf": "loaves",
    "tooth": "teeth",
    "foot": "feet",
    "person": "people",
    "man": "men",
    "woman": "women",
    "child": "children",
    "tomato": "tomatoes",
    "potato": "potatoes",
    "mango": "mangoes",
    "mosquito": "mosquitoes",
    "fish": "fish",
    "sheep": "sheep",
    "deer": "deer",
    "bison": "bison",
    "shrimp": "shrimp",
    "squid": "squid",
    "sushi": "sushi",
    "spaghetti": "spaghetti",
    "rice": "rice",
    "bread": "bread",
}
MASS = {  # no article
    "sushi",
    "spaghetti",
    "rice",
    "bread",
    "broccoli",
    "corn",
    "garlic",
    "ginger",
    "honey",
    "salt",
    "butter",
}
CONSONANT_SOUND = ("uni", "ewe", "one", "euro", "ufo", "ukulele", "used")  # a unicorn
LINKS = " of | with | on | in | over "  # what is counted stands before the first of them
# What stands before a plural, and the word that may stand between.
COUNTS = (
    r"(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|[2-9]|[1-9]\d+|many|several|few"
    r"|both|(?:pair|couple|dozen|group|bunch|pack|row|set)s? of)"
)
ADJECTIVE = r"(?:(?!(?:and|or|of|with|on|in|by|a|an|the)\b)[\w-]+ )?"
VOWEL_SOUND = ("hour", "honest", "heir", "x-ray", "mri", "atm")  # an hourglass


def is_plural(name: str) -> bool:
    """Whether a name is a plural by itself: grapes, glasses, French fries."""
    last = name.lower().split(" ")[-1]
    return (
        last.endswith("s")
        and not last.endswith(("ss", "us", "is", "ens"))
        and last not in ("series", "canvas", "gas")
    )


def with_article(words: str) -> str:
    """Words after "a" or "an"; a plural and a mass noun stay without."""
    lower, head = words.lower(), re.split(LINKS, words, maxsplit=1)[0]
    if is_plural(head) or head.lower().split(" ")[-1] in MASS:
        return words
    vowel = lower.startswith(VOWEL_SOUND) or (
        lower[:1] in "aeiou" and not lower.startswith(CONSONANT_SOUND)
    )
    return f"{'an' if vowel else 'a'} {words}"


def plural(name: str) -> str:
    """The plural of a name: its last word changes, of "piece of cake" the first."""
    head, *tail = re.split(f"({LINKS})", name, maxsplit=1)
    start, _, last = head.rpartition(" ")
    low = last.lower()
    if is_plural(head):
        many = last
    elif low in IRREGULAR:
        many = IRREGULAR[low]
    elif low.endswith(("s", "x", "z", "ch", "sh")):
        many = last + "es"
    elif low.endswith("y") and low[-2:-1] not in "aeiou":
        many = last[:-1] + "ies"
    else:
        many = last + "s"
    return f"{start} {many}".strip() + "".join(tail)


def replace_noun(text: str, noun: str, words: str) -> str:
    """A text with other words for a noun that never changes, as a placeholder is.

    "an animal" for "a <llama>", "two small animals" for "two small <llama>"; a mass noun and a
    plural lose the article.

    Args:
        noun: "<llama>".
        words: in the singular, without an article: "animal".
    """
    mark = re.escape(noun)
    counted = rf"\b({COUNTS} {ADJECTIVE}){mark}"
    text = re.sub(counted, lambda match: match[1] + plural(words), text, flags=re.IGNORECASE)

    def article(match: re.Match[str]) -> str:
        phrase = with_article(words)
        return phrase[0].upper() + phrase[1:] if match[1][0] == "A" else phrase

    return re.sub(rf"\b(an?) {mark}", article, text, flags=re.IGNORECASE).replace(noun, words)
