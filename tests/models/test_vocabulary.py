from stickerforge.models.vocabulary import unknown_words

KNOWN = frozenset("cat dog astronaut in style flat t-shirt apple glasses worker’s helmet".split())


def test_only_words_that_were_never_seen_are_named():
    assert unknown_words(["Cat astronaut, in flat style", "two dogs with apples"], KNOWN) == {
        "two": []
    }
    assert unknown_words(["an axolotl on the t-shirt of my cta"], KNOWN) == {
        "axolotl": [],
        "cta": ["cat"],
    }


def test_placeholders_and_unknown_vocabularies_are_let_through():
    assert unknown_words(["<rex> cat"], KNOWN) == {}
    assert unknown_words(["zebra"], frozenset()) == {}
