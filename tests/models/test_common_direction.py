"""Directions: fitted, stored, checked, shipped."""

import hashlib
import json
import shutil
from dataclasses import replace

import pytest
import torch
import transformers

from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.models import common_direction
from stickerforge.models.common_direction import (
    CommonDirection,
    check_direction,
    direction_file_content,
    direction_path,
    fit_direction,
    read_direction,
    shipped_direction,
)
from stickerforge.models.judge.model import FOLDER
from stickerforge.models.prompt_rewards import load_prompt_reward
from stickerforge.objectives.preference import common_direction as mean_direction
from tests.tiny import edit_json

CAPTIONS = [f"{number} cats" for number in range(5000)]


class Counts:
    """A reward whose vectors are known, of 5,000 texts in no time."""

    name, digest = "counts", "0123456789abcdef"

    def encode_texts(self, texts):
        return torch.tensor([[3.0, 0.0, len(text) % 2] for text in texts])


def fit_counts():
    return fit_direction(Counts(), CAPTIONS)


def test_it_is_the_unit_mean_of_different_captions():
    batches = []
    repeated = [*CAPTIONS, *CAPTIONS[:9], "", "  ", " 7 cats "]
    direction = fit_direction(Counts(), repeated, on_batch=batches.append)
    expected = mean_direction(Counts().encode_texts(CAPTIONS))
    torch.testing.assert_close(direction.tensor, expected)
    assert (direction.encoder, direction.digest, direction.captions) == (
        "counts",
        Counts.digest,
        5000,
    )
    assert direction.sha256 == hashlib.sha256("\n".join(sorted(CAPTIONS)).encode()).hexdigest()
    assert sum(batches) == 5000 and len(batches) > 1
    assert fit_direction(Counts(), CAPTIONS[::-1]) == direction


@pytest.mark.parametrize(
    ("captions", "count"),
    [(["a", "b", "c"], "3"), ([], "0"), (CAPTIONS[1:], "4,999"), (["a cat"] * 9000, "1")],
)
def test_too_few_captions_are_counted(captions, count):
    with pytest.raises(InputError, match=f"5,000 different captions, and there are {count}; give"):
        fit_direction(Counts(), captions)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_texts_without_a_common_direction(value):
    class Nothing(Counts):
        def encode_texts(self, texts):
            return torch.full((len(texts), 3), value)

    with pytest.raises(InputError, match="no common direction"):
        fit_direction(Nothing(), CAPTIONS)


def test_a_file_is_read_as_it_was_written(tmp_path):
    direction = fit_counts()
    path = tmp_path / "direction.json"
    path.write_bytes(direction_file_content(direction))
    assert read_direction(path) == direction
    edit_json(path, later="what a newer version writes")
    assert read_direction(path) == direction


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"vector": [1.0, 1.0, 0.0]}, "not of length 1"),
        ({"vector": []}, "not of length 1"),
        ({"vector": ["a"]}, "not a number"),
        ({"vector": [1e9]}, "a number from -1 to 1"),
        ({"captions": 3}, "captions is 3"),
        ({"captions": True}, "captions is True"),
        ({"sha256": "x"}, "not a sha256"),
        ({"encoder": 1}, "encoder is 1"),
    ],
)
def test_a_file_with_something_else_in_it(tmp_path, changes, said):
    path = tmp_path / "direction.json"
    path.write_bytes(direction_file_content(fit_counts()))
    edit_json(path, **changes)
    with pytest.raises(InputError, match=said) as caught:
        read_direction(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"vector": [NaN]}', None])
def test_a_file_that_is_none(tmp_path, content):
    path = tmp_path / "direction.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as a common direction"):
        read_direction(path)


def test_a_direction_is_of_one_encoder_and_its_weights(clip, tmp_path):
    direction = fit_counts()
    check_direction(direction, Counts())
    check_direction(replace(direction, encoder="counts-renamed"), Counts())  # the same weights
    with pytest.raises(InputError, match="is of counts, not of second"):
        check_direction(direction, load_prompt_reward("second"))
    with pytest.raises(InputError, match="is of other weights of counts"):
        check_direction(replace(direction, digest="f" * 16), Counts())
    with pytest.raises(InputError, match="is of other weights of counts"):
        check_direction(replace(direction, vector=(1.0,)), Counts())
    folder = shutil.copytree(clip, tmp_path / "tiny-clip")
    first = load_prompt_reward(str(clip))
    own = replace(direction, encoder=first.name, digest=first.digest, vector=(1.0,) + (0.0,) * 23)
    check_direction(own, first)
    model = transformers.CLIPModel.from_pretrained(clip)
    torch.nn.init.normal_(model.text_projection.weight)
    model.save_pretrained(folder)
    with pytest.raises(InputError, match="is of other weights of tiny-clip"):
        check_direction(own, load_prompt_reward(str(folder)))


@pytest.mark.parametrize("name", ["judge", "second"])
def test_the_directions_of_the_judges_ship(name):
    reward = load_prompt_reward(name)
    direction = shipped_direction(reward)
    check_direction(direction, reward)
    assert direction.encoder == name and direction.captions == 6000
    texts = ["a red cat on a mat", "two dogs, noto style", "The drawing shows a pizza."]
    shares = reward.encode_texts(texts) @ direction.tensor
    assert (shares > 0.1).all()  # a cone
    assert direction_path(name).parent == FOLDER  # all of which is package data


def test_other_rewards_ship_without_one(clip, tmp_path, monkeypatch):
    assert shipped_direction(load_prompt_reward(str(clip))) is None
    folder = shutil.copytree(clip, tmp_path / "judge")  # which is called like one
    assert shipped_direction(load_prompt_reward(f"pickscore={folder}")) is None
    monkeypatch.setattr(common_direction, "direction_path", lambda name: FOLDER / "missing.json")
    with pytest.raises(EnvironmentFault, match="missing.json"):
        shipped_direction(load_prompt_reward("second"))


def test_a_fit_over_a_real_encoder(clip, monkeypatch):
    monkeypatch.setattr(common_direction, "MIN_CAPTIONS", 40)
    reward, captions = load_prompt_reward(str(clip)), ["a red cat eats. " * 9, *CAPTIONS[:60]]
    direction = fit_direction(reward, captions)
    expected = reward.encode_texts(sorted(c.strip() for c in captions)).mean(0)
    torch.testing.assert_close(direction.tensor, expected / expected.norm())
    assert isinstance(direction, CommonDirection)
    assert json.loads(direction_file_content(direction))["encoder"] == "tiny-clip"
