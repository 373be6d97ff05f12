from stickerforge.models.words import unseen_words

KNOWN = frozenset("cat dog astronaut in style flat t-shirt apple glasses worker’s helmet".split())


def test_only_words_that_were_never_seen_are_named():
    assert unseen_words(["Cat astronaut, in flat style", "two dogs with apples"], KNOWN) == {"two": []}
    assert unseen_words(["an axolotl on the t-shirt of my cta"], KNOWN) == {"axolotl": [], "cta": ["cat"]}


def test_placeholders_and_unknown_vocabularies_are_let_through():
    assert unseen_words(["<rex> cat"], KNOWN) == {}
    assert unseen_words(["zebra"], frozenset()) == {}
