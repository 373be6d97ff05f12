"""A language model on a folder: what it adds, always the same, and what is none."""

import pytest

from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.models.language_model import load_language_model
from tests.tiny import write_tiny_language_model

TEMPLATE = "{% for message in messages %}a {{ message['content'] }}{% endfor %} red"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_language_model(tmp_path_factory.mktemp("writer"))


def test_the_likeliest_words_are_always_the_same_and_do_not_repeat_the_text(folder):
    first, second = (load_language_model(str(folder)).complete("a red cat", 6) for _ in range(2))
    assert first == second
    assert not first.startswith("a red cat")
    assert len(first.split()) <= 6


def test_drawn_words_depend_on_seed_and_text_alone(folder):
    model = load_language_model(str(folder))
    drawn = {seed: model.complete("a dog", 12, temperature=3.0, seed=seed) for seed in range(6)}
    assert len(set(drawn.values())) > 1
    model.complete("a cat", 3, temperature=3.0)
    assert drawn[3] == model.complete("a dog", 12, temperature=3.0, seed=3)


def test_a_chat_template_is_used(tmp_path):
    model = load_language_model(str(write_tiny_language_model(tmp_path, template=TEMPLATE)))
    shown = model.tokenizer.decode(model.encode("dog")["input_ids"][0])
    assert shown.split() == ["a", "dog", "red"]
    model.complete("dog", 3)


def test_what_is_no_language_model(tmp_path, dinov2):
    with pytest.raises(InputError, match="no folder 'gpt'"):
        load_language_model("gpt")
    with pytest.raises(InputError):
        load_language_model(str(dinov2))
    with pytest.raises(InputError):
        load_language_model(str(tmp_path))
    with pytest.raises(EnvironmentFault, match="cache"):
        load_language_model("owner/not-there", offline=True)
