"""Which picture belongs to which prompt, and to which one of the baseline."""

from types import SimpleNamespace

import pytest

from stickerforge.evaluation.prompt_matching import (
    TargetPrompt,
    match_baseline,
    replace_placeholders,
)


def test_pictures_are_laid_beside_the_baselines_of_their_seed():
    def with_seeds(*seeds):
        return [SimpleNamespace(params={} if seed is None else {"seed": seed}) for seed in seeds]

    a, b = TargetPrompt("a", "a"), TargetPrompt("b", "b")
    pictures, baseline = with_seeds(1, 2, 3, None), with_seeds(2, 3, 9)
    matches = match_baseline([a] * 4, pictures, [a] * 3, baseline)
    assert matches == [baseline[2], baseline[0], baseline[1], None]
    assert match_baseline([b], pictures[:1], [a] * 3, baseline) == [None]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a <rex> on a hill", "a rex on a hill"),
        ("<my-dog>, <rex>", "my dog, rex"),
        ("a <<rex>>", "a <rex>"),
        ("1 < 2, <Rex>, <3 >, <a b>, <ünder>", "1 < 2, <Rex>, <3 >, <a b>, <ünder>"),
        ("", ""),
    ],
)
def test_placeholders_are_replaced_and_nothing_else(text, expected, monkeypatch, tmp_path):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path))
    assert replace_placeholders(text) == expected


def test_an_adapter_knows_its_class_words(monkeypatch):
    from stickerforge.adapters import store

    adapter = SimpleNamespace(tokens={"<rex>": "dog"})
    monkeypatch.setattr(store, "find", lambda name: adapter)
    assert replace_placeholders("a <rex> with a hat") == "a dog with a hat"
