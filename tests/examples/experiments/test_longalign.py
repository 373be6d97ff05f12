"""Long captions: their lengths, what they say, and that no scene is trained on and asked for."""

from itertools import islice

import numpy as np
import pytest

from examples.experiments.bench.bench_items import in_list, key_combinations
from examples.experiments.longalign.long_captions import (
    LONGEST,
    ROOM_FOR_LATE,
    SHORTEST,
    WINDOW,
    count_tokens,
    long_caption,
)
from examples.experiments.longalign.long_family import BINS, facts_with_thing, long_items
from examples.experiments.longalign.nouns import nouns_of
from examples.experiments.longalign.pictures import Arm, adapter_arm
from examples.experiments.longalign.remarks import fill_template, remark_templates
from examples.experiments.longalign.retrieval import hits
from examples.experiments.longalign.reward_arms import equal_gain, value_at
from examples.experiments.longalign.scenes import (
    FAMILY,
    VERSION,
    dev_truths,
    is_evaluation_scene,
    training_truths,
)
from examples.experiments.longalign.wordnet_remarks import (
    as_sentence,
    mini_things,
    names_nothing_drawn,
    wordnet_remarks,
)
from examples.recipes.mini.art import Subject
from examples.recipes.mini.backgrounds import Ground
from examples.recipes.mini.hypernyms import DICTIONARY
from examples.recipes.mini.scene import Thing, Truth
from examples.recipes.mini.settings import DATA
from stickerforge.generation.prompt_units import PromptParser
from stickerforge.models.things import words_of

needs_art = pytest.mark.skipif(
    not (DATA / "sprites.npy").exists(), reason="the recipe's art is not here"
)
needs_wordnet = pytest.mark.skipif(
    not (DICTIONARY / "data.noun").exists(), reason="WordNet was not fetched"
)
APPLE = Thing(Subject(0, "1f34e", "red apple", (), "food"), count=3, colour="blue")
CAT = Thing(Subject(1, "1f431", "cat face", (), "animal"), wears="crown")
SUIT = Thing(Subject(2, "1f98a", "fox", (), "animal"), wears="space suit")
PANCAKES = Thing(Subject(3, "1f95e", "pancakes", (), "food"), size="small", x=0.2, y=0.2)
SCENES = {
    "number and colour": Truth("flat", (APPLE,), "", Ground("transparent")),
    "worn": Truth("noto", (CAT,), "", Ground("plain", "", ("pale blue",))),
    "suited": Truth("fluent", (SUIT,), "", Ground("place", "beach")),
    "relation": Truth("twemoji", (CAT, PANCAKES), "to the left of", Ground("transparent")),
    "place": Truth("flat", (PANCAKES,), "", Ground("transparent")),
}
SAID = {
    "number and colour": ("three", "apples", "blue"),
    "worn": ("cat", "a crown", "on a pale blue ground"),
    "suited": ("fox", "space suit", "on a beach"),
    "relation": ("cat", "to the left of", "pancakes", "a crown"),
    "place": ("pancakes", "small", "at the top left"),
}


@pytest.mark.parametrize("kind", SCENES)
def test_a_caption_says_what_a_picture_is_not_expected_to_have(kind: str) -> None:
    for seed in range(30):
        text = long_caption(SCENES[kind], np.random.default_rng(seed)).text.lower()
        assert all(words in text for words in SAID[kind]), text
        assert "red" not in text.split() and "a pancakes" not in text, text


def test_length_does_not_follow_from_the_facts_and_half_of_the_things_come_late() -> None:
    captions = [
        long_caption(SCENES[kind], np.random.default_rng(seed))
        for kind in SCENES
        for seed in range(60)
    ]
    tokens = [each.tokens for each in captions]
    assert all(each.tokens == count_tokens(each.text) for each in captions)
    assert min(tokens) >= SHORTEST and max(tokens) <= LONGEST
    assert abs(np.corrcoef(tokens, [len(each.facts) for each in captions])[0, 1]) < 0.25
    assert 0.35 < np.mean([each.named_at >= WINDOW for each in captions]) < 0.65
    assert all(2 <= len(each.facts) <= 6 for each in captions)


@pytest.mark.parametrize("tokens", BINS)
def test_captions_keep_to_the_length_that_is_asked_for(tokens: tuple[int, int]) -> None:
    for kind, truth in SCENES.items():
        made = long_caption(truth, np.random.default_rng(1), part="evaluation", tokens=tokens)
        assert tokens[0] <= made.tokens <= tokens[1], kind


def test_no_remark_is_in_training_and_in_evaluation() -> None:
    training, evaluation = remark_templates("training"), remark_templates("evaluation")
    assert not set(training) & set(evaluation)
    assert len(training) > 40 and len(evaluation) > 10
    for template in (*training, *evaluation):
        text = fill_template(template, np.random.default_rng(0))
        assert "{" not in text and text[0].isupper() and text.endswith("."), text


@pytest.mark.parametrize(
    "text, told",
    [
        ("They were late again.", True),
        ("The cat was asleep.", False),
        ("The dogs were asleep.", False),
        ("The spaniel was asleep.", False),
        ("She had an ice cream.", False),
        ("The sky was navy.", False),
        ("Three of us were late.", False),
        ("He was in a space suit.", False),
        ("This is a drawing.", False),
    ],
)
def test_a_remark_names_nothing_that_is_drawn(text: str, told: bool) -> None:
    assert names_nothing_drawn(text, PromptParser(mini_things(), (), with_fillers=False)) == told


def test_phrases_become_sentences_where_they_are_some() -> None:
    assert as_sentence("they left at  dawn") == "They left at dawn."
    assert as_sentence("who was it?") == "Who was it?"
    assert as_sentence("an away game") == as_sentence("he left; she stayed") == ""


@needs_wordnet
def test_remarks_of_wordnet_are_trained_on_or_asked_for_and_name_nothing_drawn() -> None:
    training, evaluation = wordnet_remarks("training"), wordnet_remarks("evaluation")
    assert not {words_of(text) for text in training} & {words_of(text) for text in evaluation}
    assert len(training) > 4000 and 0.2 < len(evaluation) / len(training) < 0.45
    things = mini_things()
    names = {*things.names.values(), *things.nouns, *things.colours, *things.attributes}
    single = {name for name in names if " " not in name}
    for text in (*training, *evaluation):
        assert text.isascii() and text[0].isupper() and text[-1] in ".!?", text
        assert 3 <= len(words_of(text)) <= 25 and not single & set(words_of(text)), text


@needs_wordnet
def test_captions_in_other_words_keep_their_length_and_name_the_thing_anywhere() -> None:
    captions = [
        long_caption(SCENES[kind], np.random.default_rng(seed), source="wordnet")
        for kind in SCENES
        for seed in range(40)
    ]
    tokens, named = [each.tokens for each in captions], [each.named_at for each in captions]
    assert min(tokens) >= SHORTEST and max(tokens) <= LONGEST
    assert 0.35 < np.mean(np.array(named) >= WINDOW) < 0.65
    assert np.percentile(named, 25) < WINDOW - ROOM_FOR_LATE and max(named) > 2 * WINDOW
    kept = wordnet_remarks("evaluation")
    assert not any(text in caption.text for caption in captions for text in kept)


def test_things_of_one_short_name_are_told_apart() -> None:
    whole = Thing(Subject(4, "1f408", "cat", (), "animal"))
    assert [noun.name for noun in nouns_of((CAT, whole), short=True)] == ["cat face", "cat"]


def test_facts_count_only_with_the_thing() -> None:
    assert facts_with_thing({"thing": 0.0, "style": 1.0}) == 0.0
    assert facts_with_thing({"thing": 1.0, "style": 1.0, "worn": 0.0}) == pytest.approx(2 / 3)


def test_a_picture_hits_where_its_own_text_is_nearest() -> None:
    torch = pytest.importorskip("torch")
    images = torch.eye(3)
    assert hits(images, images[[0, 2, 1]])["image to text"].tolist() == [1.0, 0.0, 0.0]
    biased = images.clone()
    biased[:, 2] += 3.0
    found = hits(images, biased)
    assert found["image to text"].tolist() == [1.0, 1.0, 1.0]
    assert found["text to image"].tolist() == [0.0, 0.0, 1.0]


def test_an_adapter_reads_as_it_was_trained_or_as_is_said() -> None:
    assert adapter_arm("long-0.3") == Arm("long-0.3", None, "long-0.3")
    assert adapter_arm("runs/long:compat") == Arm("long-compat", "compat", "runs/long")


@needs_art
def test_scenes_are_trained_on_or_asked_for() -> None:
    training = list(islice(training_truths(0), 60))
    evaluation = list(islice(dev_truths(0), 40))
    assert not any(map(is_evaluation_scene, training))
    assert all(map(is_evaluation_scene, evaluation))
    for truth in evaluation:
        key = "|".join(sorted("|".join(names) for names in key_combinations(truth, FAMILY)))
        assert in_list("dev", key, VERSION) and not in_list("test", key, VERSION)


@needs_art
def test_prompts_fill_the_bins_in_turn() -> None:
    entries = long_items(8)
    assert [entry.bin for entry in entries] == [f"{low}-{high}" for low, high in BINS] * 2
    assert len({entry.item.prompt for entry in entries}) == 8
    assert long_items(4) == entries[:4]


def curve(*rows: tuple[float, float]) -> list[dict[str, float]]:
    return [
        {"relevant": gain, "drift": drift, "full": gain, "diversity": 1 - drift}
        for gain, drift in rows
    ]


def test_runs_are_compared_where_all_of_them_had_gained_as_much() -> None:
    slow = curve((0.1, 0.0), (0.2, 0.1), (0.3, 0.4))
    fast = curve((0.1, 0.0), (0.5, 0.8))
    found = equal_gain({"slow": slow, "fast": fast})
    assert found["relevant"] == pytest.approx(0.3)
    assert found["runs"]["slow"]["drift"] == pytest.approx(0.4)
    assert found["runs"]["fast"]["drift"] == pytest.approx(0.4)
    assert found["runs"]["fast"]["diversity"] == pytest.approx(0.6)
    assert equal_gain({"lost": curve((0.1, 0.0), (0.05, 0.1)), "fast": fast}) == {}


def test_a_gain_is_read_where_it_is_first_reached() -> None:
    rows = curve((0.0, 0.0), (0.4, 0.2), (0.1, 0.9), (0.6, 1.0))
    assert value_at(rows, 0.2, "drift") == pytest.approx(0.1)
    assert value_at(rows, 0.5, "drift") == pytest.approx(0.98)
