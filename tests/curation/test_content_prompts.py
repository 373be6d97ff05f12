"""Prompts of the content stage: in the words of the model, different, rewritten, of a file."""

import numpy as np
import pytest

from stickerforge.config.schema.picture_sets import ContentConfig
from stickerforge.curation import content_prompts as module
from stickerforge.curation.content_prompts import content_prompts, distinct, unlike
from stickerforge.curation.model_words import reworder
from stickerforge.curation.scene_writer import clean_scene, write_scene
from stickerforge.data.prompt_bank import BankPrompt
from stickerforge.errors import InputError
from stickerforge.generation.reduced_prompt import reduce_prompt
from stickerforge.models.encoders import load_encoder
from stickerforge.models.registry import find_model
from stickerforge.models.things import read_things
from tests.tiny import write_tiny_language_model


@pytest.fixture(scope="module")
def mini():
    return find_model("sticker-mini")


def test_sticker_mini_is_asked_for_what_it_can_draw_in_its_own_words(mini, quiet):
    things = read_things(mini)
    prompts = content_prompts(ContentConfig(prompts=36), mini, 0, quiet)
    assert len(prompts) == 36
    for prompt in prompts:
        reduced = reduce_prompt(prompt.text, things)
        assert reduced.text == prompt.text and not reduced.left_out and not reduced.replaced
        assert len(reduced.things) == (2 if prompt.family == "pair" else 1) or (
            prompt.family == "activity" and len(reduced.things) in (1, 2)
        )


@pytest.mark.parametrize(
    ("text", "things", "said"),
    [
        ("a crying cat", 1, "a crying cat"),
        ("a pine tree on top of a bed", 2, "an evergreen tree above a bed"),
        ("a panda holding a rose on a beach", 1, "a panda holding a rose on a beach"),
        ("a happy dog", 1, ""),  # dogs have no feelings here
        ("a cat riding a bicycle", 1, ""),  # it would be drawn above one
        ("a lighthouse next to a cat", 2, ""),  # another tower would be drawn
        ("a cat looking at a dog", 2, ""),
        ("a dog in the kitchen", 1, ""),
        ("a puppy and a pug", 2, ""),  # both are its dog
        ("xyzzy", 1, ""),
    ],
)
def test_what_sticker_mini_can_say(mini, text, things, said):
    assert reworder(mini)(text, things) == said


def test_a_model_without_a_table_takes_prompts_as_they_are(tiny_sd, quiet):
    card = find_model(str(tiny_sd))
    assert reworder(card) is None
    assert len(content_prompts(ContentConfig(prompts=300), card, 0, quiet)) == 300


def test_too_few_prompts_are_a_warning_and_none_an_error(mini, quiet, monkeypatch):
    said = ("a cat", "a sad cat")  # of which the first is no emotion
    monkeypatch.setattr(
        module, "reworder", lambda card: lambda text, things: text if text in said else ""
    )
    (one,) = content_prompts(ContentConfig(families=("emotion",)), mini, 0, quiet)
    assert one.text == "a sad cat"
    assert "1 different prompts" in quiet.warnings[0] and "150" in quiet.warnings[0]
    monkeypatch.setattr(module, "reworder", lambda card: lambda text, things: "")
    with pytest.raises(InputError, match="no prompt that sticker-mini can draw"):
        content_prompts(ContentConfig(), mini, 0, quiet)


def test_an_unknown_family_is_named(mini, quiet):
    with pytest.raises(InputError, match=r"unknown family 'emotions'.*did you mean 'emotion'"):
        content_prompts(ContentConfig(families=("emotions",)), mini, 0, quiet)
    with pytest.raises(InputError, match="families is empty"):
        content_prompts(ContentConfig(families=()), mini, 0, quiet)


def test_all_prompts_of_a_file_are_taken_but_those_that_say_the_same(mini, quiet, tmp_path):
    file = tmp_path / "prompts.txt"
    file.write_text("a cat and a dog\nThe dog and the cat!\na  happy house\n" + "a fox\n" * 3)
    prompts = content_prompts(ContentConfig(prompts=1, file=str(file)), mini, 0, quiet)
    assert [one.text for one in prompts] == ["a cat and a dog", "a happy house", "a fox"]
    assert {one.family for one in prompts} == {"file"}


class Words:
    """An encoder whose texts are close where they share words."""

    name, reads_text, text_tokens = "words", True, 99

    def count_tokens(self, text):
        return len(text.split())

    def texts(self, sentences):
        rows = []
        for sentence in sentences:
            row = np.zeros(512)
            for word in sentence.split():
                row[sum(map(ord, word)) % 512] += 1
            rows.append(row / np.linalg.norm(row))
        return np.array(rows, np.float32)


def test_prompts_that_mean_the_same_by_an_encoder_go_against_all_pairs():
    texts = [
        f"a {'very ' * (at % 4)}{color} {name}"
        for at, (color, name) in enumerate(
            (color, name)
            for color in ("red", "blue", "big", "old")
            for name in ("cat", "dog", "hat")
        )
    ] * 30  # over the 256 that are first made room for
    texts = [f"{text} {at // 5}" for at, text in enumerate(texts)]
    vectors, kept = Words().texts(texts), []
    for at in range(len(texts)):
        if all(float(vectors[at] @ vectors[other]) <= 0.93 for other in kept):
            kept.append(at)
    found = [one.text for one in unlike((BankPrompt(t, "file") for t in texts), Words(), 0.93)]
    assert found == [texts[at] for at in kept]
    assert 10 < len(kept) < len(texts)


def test_an_encoder_of_pictures_alone_cannot_compare_prompts(mini, quiet, dinov2):
    with pytest.raises(InputError, match="reads no text"):
        content_prompts(ContentConfig(duplicate_encoder=str(dinov2)), mini, 0, quiet)


@pytest.mark.slow
def test_the_judge_takes_no_prompts_with_the_same_meaning(mini, quiet):
    settings = ContentConfig(prompts=40, duplicate_encoder="judge", duplicate_cosine=0.6)
    prompts = content_prompts(settings, mini, 0, quiet)
    vectors = load_encoder("judge").texts([one.text for one in prompts])
    cosines = vectors @ vectors.T - np.eye(len(prompts)) * 9
    assert cosines.max() <= 0.6 + 1e-5


@pytest.mark.parametrize(
    ("answer", "scene"),
    [
        (
            " a small cat asleep on a red cushion.\nIdea: a dog",
            "a small cat asleep on a red cushion",
        ),
        ('\n\nScene: "A fox, wearing a scarf"\n', "A fox, wearing a scarf"),
        ("I'm sorry, I cannot draw that.", ""),
        ("As an AI I have no eyes", ""),
        ("", ""),
        ("?!", ""),
        ("cat", ""),
        ("<b>a cat</b> in a *hat*", "ba cat/b in a hat"),
        ("a\u202ecat on\x07 a mat", "acat on a mat"),
        (" ".join(["word"] * 60), ""),
    ],
)
def test_what_a_language_model_writes_is_cleaned(answer, scene):
    assert clean_scene(answer) == scene


class Writer:
    """A language model that answers as it is told."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def complete(self, text, tokens, *, temperature=0.0, seed=0):
        self.asked.append(text)
        return self.answer


def test_scenes_stand_for_prompts_where_they_can_be_used(mini):
    prompt = BankPrompt("a crying cat", "emotion", {"emotion": "crying"})
    scene = write_scene(prompt, Writer(" a wet cat in the rain\n"), None, temperature=0, seed=0)
    assert (scene.text, scene.family, scene.attributes) == (
        "a wet cat in the rain",
        "emotion",
        {"emotion": "crying"},
    )
    writer = Writer("I cannot help with that")
    assert write_scene(prompt, writer, None, temperature=0, seed=0) == prompt
    assert writer.asked[0].endswith("Idea: a crying cat\nScene:")
    reword = reworder(mini)
    for answer, text in (
        ("a crying cat on a beach", "a crying cat on a beach"),
        ("a crying cat in a velvet armchair", "a crying cat"),
    ):
        assert write_scene(prompt, Writer(answer), reword, temperature=0, seed=0).text == text


def test_a_real_language_model_rewrites_the_bank_always_the_same(tmp_path, tiny_sd, quiet):
    model = write_tiny_language_model(tmp_path / "writer")
    settings = ContentConfig(prompts=6, language_model=str(model), temperature=1.5)
    card = find_model(str(tiny_sd))
    first, second = (content_prompts(settings, card, 5, quiet) for _ in range(2))
    assert first == second and len(first) == 6
    plain = content_prompts(ContentConfig(prompts=6), card, 5, quiet)
    assert [one.text for one in first] != [one.text for one in plain]
    assert len(list(distinct(first))) == 6
