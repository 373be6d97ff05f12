from dataclasses import replace

import pytest

from stickerforge.generation.reduced_prompt import nearest_things, reduce_prompt
from stickerforge.models.registry import find_model
from stickerforge.models.things import Things, read_things

TABLE = Things(
    groups={
        "animals and plants": {"dog face": "dog", "cat face": "cat", "frog": "frog"},
        "food and drink": {"pizza": "pizza", "beer mug": "beer mug", "red apple": "red apple"},
        "objects and clothes": {"crown": "crown", "balloon": "balloon", "top hat": "top hat"},
        "signs": {"folded hands": "folded hands", "children crossing": "children crossing"},
    },
    nouns={"corgi": "dog face", "puppy": "dog face", "beer": "beer mug", "orange": "red apple"},
    phrases={"thank you": "folded hands", "cheers": "beer mug"},
    emoji={"🐶": "dog face", "🍕": "pizza", "❤️‍🔥".replace("️", ""): "balloon"},
    colours={"navy": "blue", "mint green": "green"},
    attributes=("red", "blue", "green", "pale blue", "orange", "two", "three", "small"),
    spans=("in flat style", "flat style", "at the top left"),
    fillers=("draw", "me", "please", "sticker", "cup of"),
)


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("corgi", "dog"),
        ("an orange corgi", "an orange dog"),
        ("a cute corgi", "a dog"),
        ("an ugly dog", "a dog"),
        ("Corgi puppy", "dog"),
        ("three corgis", "three dogs"),
        ("two beers", "two beer mugs"),
        ("frogs", "frogs"),
        ("please draw me a sticker of a frog", "a frog"),
        ("frog eating a pizza", "frog and a pizza"),
        ("frog with pizza in Hawaii", "frog with pizza"),
        ("frog wearing a crown", "frog wearing a crown"),
        ("beer balloons", "balloons"),
        ("corgi pizza", "pizza"),
        ("a cup of beer", "a beer mug"),
        ("an orange", "a red apple"),
        ("a red", ""),
        ("mint green frog", "green frog"),
        ("frog on a light blue background", "frog on a blue ground"),
        ("frog on a pale blue ground", "frog on a pale blue ground"),
        ("frog, blue background", "frog, on a blue ground"),
        ("frog, no background", "frog"),
        ("frog on a transparent background", "frog"),
        ("frog in flat style at the top left", "frog in flat style at the top left"),
        ("frog in the style of van gogh", "frog"),
        ("frog, kawaii, sticker, pizza", "frog, pizza"),
        ("a dog to the left of a cat", "a dog to the left of a cat"),
        ("<rex> eating pizza", "<rex> and pizza"),
        ("🐶🍕", "dog and pizza"),
        ("🐶🏽", "dog"),
        ("❤️‍🔥", "balloon"),
        ("thank you!!!", "folded hands"),
        ("THANK YOUUU so much", ""),
        ("well, thank you, in flat style", "folded hands, in flat style"),
        ("cheers to the frog", "the frog"),
        ("a balolon", "a balloon"),
        ("frgo", ""),
        ("ballon", "balloon"),
        ("a pitza", "pizza"),
        ("a baloon, kawaii", "a balloon"),
        ("ballloon", "balloon"),
        ("dogg", "dog"),
        ("zzz", ""),
        ("", ""),
        ("children", ""),
    ],
)
def test_what_becomes_of_a_prompt(prompt, text):
    assert reduce_prompt(prompt, TABLE).text == text


def test_what_was_replaced_and_left_out_is_told():
    reduced = reduce_prompt("a cute corgi with beer in Hawaii, navy", TABLE)
    assert reduced.replaced == (("corgi", "dog"), ("beer", "beer mug"))
    assert reduced.left_out == ("cute", "Hawaii", "navy")
    assert reduced.things == ("dog face", "beer mug")
    assert reduced.line() == "corgi → dog; beer → beer mug; left out: cute, Hawaii, navy"


def test_words_of_adapters_stay():
    reduced = reduce_prompt("a happy frog, in <ink> woodcut", TABLE, ("in <ink> woodcut",))
    assert reduced.text == "a frog, in <ink> woodcut"
    assert reduced.left_out == ("happy",)


def test_what_is_known_is_told_of_nothing():
    for prompt in (
        "cat",
        "two frogs, flat style",
        "a small dog wearing a top hat",
        "the red apple",
    ):
        reduced = reduce_prompt(prompt, TABLE)
        assert (reduced.text, reduced.line()) == (prompt, "")


def test_the_nearest_things_are_three():
    assert nearest_things("a forg", TABLE)[0] == "frog"
    assert len(set(nearest_things("", TABLE))) == 3


@pytest.fixture(scope="module")
def shipped():
    things = read_things(find_model("sticker-mini", offline=True))
    assert things is not None
    return things


@pytest.mark.parametrize(
    ("prompt", "text", "left_out"),
    [
        ("a frog with big red eyes", "a frog", "red eyes"),
        ("two corgis with a nose", "two dogs", ""),
        ("a pizza with an apple", "a pizza", ""),
        ("a frog with an apple", "a frog beside a red apple", ""),
        ("a frog and an eye", "a frog beside an eye", ""),
        ("a pizza with a dog face", "a pizza", ""),
        ("an eye", "an eye", ""),
        ("pizza the frog", "a pizza beside the frog", ""),
    ],
)
def test_parts_are_drawn_with_their_thing(prompt, text, left_out):
    groups = TABLE.groups | {"people and hands": {"eyes": "eyes", "eye": "eye", "nose": "nose"}}
    parts = {"": ("eyes", "eye", "nose"), "pizza": ("red apple",)}
    nouns = TABLE.nouns | {"apple": "red apple"}
    more = {"parts": parts, "nouns": nouns, "relations": {"": "beside"}}
    reduced = reduce_prompt(prompt, replace(TABLE, groups=groups, **more))
    assert reduced.text == text
    assert set(left_out.split()) == set(" ".join(reduced.left_out).split()) - {"big"}


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("a golden retriever puppy", "a dog"),
        ("thanks", "folded hands"),
        ("a beer", "a beer mug"),
        ("kitty on a bike", "a cat above a bicycle"),
        ("flamingo", "bird"),
        ("three little pigs", "three pigs"),
        ("HAPPY BIRTHDAY", "birthday cake"),
        ("banana", "banana"),
        ("cat astronaut", "cat astronaut"),
    ],
)
def test_everyday_words_of_the_embedded_model(shipped, prompt, text):
    assert reduce_prompt(prompt, shipped).text == text


def test_every_word_of_the_table_draws_a_thing_that_there_is(shipped):
    targets = {*shipped.nouns.values(), *shipped.phrases.values(), *shipped.emoji.values()}
    assert targets <= shipped.names.keys()
    for name in shipped.names.values():
        reduced = reduce_prompt(name, shipped)
        assert reduced.things, name
        assert not reduced.replaced, name


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("skull with flowers", "a skull to the left of a bouquet"),
        ("a dog, a cat", "a dog to the left of a cat"),
        ("fox eating pizza, flat style", "a fox to the left of a pizza, flat style"),
        ("puppy in a basket", "a dog inside a basket"),
        ("dog in a pizza", "a dog to the left of a pizza"),
        ("cat behind the house", "a cat behind the house"),
        ("panda with glasses", "panda wearing glasses"),
        ("cat wearing a crown next to 2 dogs", "a cat wearing a crown to the left of 2 dogs"),
        ("a cat, a dog and a frog", "a cat to the left of a dog"),
        ("three little pigs", "three pigs"),
        ("a cat below a dog on a blue background", "a cat below a dog on a blue ground"),
    ],
)
def test_two_things_stand_to_each_other_as_captions_say_it(shipped, prompt, text):
    assert reduce_prompt(prompt, shipped).text == text


def test_relations_of_other_words_and_third_things_are_told(shipped):
    reduced = reduce_prompt("cat riding a bike with a dog", shipped)
    assert reduced.replaced == (("riding", "above"), ("bike", "bicycle"))
    assert reduced.left_out == ("dog",)
    assert reduce_prompt("cat and dog", shipped).line() == ""


@pytest.mark.parametrize(
    ("prompt", "text", "left_out"),
    [
        ("owl with glasses", "owl", ("glasses",)),
        ("smiling face with a top hat", "smiling face wearing a top hat", ()),
        ("cool guy with sunglasses and a hat", "man", ("cool", "sunglasses", "hat")),
        ("a crown and a top hat", "a crown to the left of a top hat", ()),
        ("dog with glasses and a crown", "dog wearing glasses", ("crown",)),
        ("bee holding a flower", "a honeybee to the left of a blossom", ()),
        ("panda holding a balloon", "a panda holding a balloon", ()),
        ("rainbow unicorn", "unicorn", ("rainbow",)),
        ("puppy astronaut", "dog astronaut", ()),
        ("\U0001f436\U0001f355", "a dog to the left of a pizza", ()),
        ("a black dog", "a dog", ("black",)),
        ("a black <blob> wearing sunglasses", "a black <blob> wearing sunglasses", ()),
        ("<blob> astronaut", "<blob> astronaut", ()),
        ("cat <blob>", "cat <blob>", ()),
        ("<blob> holding a pizza", "a <blob> to the left of a pizza", ()),
        ("black cat", "black cat", ()),
        ("siamese cat", "cat", ()),
        ("ivory bear on a white background", "bear on a white ground", ("ivory",)),
    ],
)
def test_what_the_model_was_never_shown_is_not_asked_of_it(shipped, prompt, text, left_out):
    reduced = reduce_prompt(prompt, shipped)
    assert (reduced.text, reduced.left_out) == (text, left_out)
