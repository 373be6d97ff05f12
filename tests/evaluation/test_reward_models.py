"""One model in memory at a time, loaded once for all that ask for it."""

import pytest

from stickerforge.evaluation import reward_models
from stickerforge.evaluation.reward_models import RewardModels


@pytest.fixture
def models(monkeypatch):
    loads = []

    def load(kind, place, **options):
        loads.append((kind, place, options["offline"]))
        return object()

    monkeypatch.setattr(reward_models, "load_reward", load)
    monkeypatch.setattr(reward_models, "LpipsModel", lambda file: loads.append(file.name))
    places = {"pickscore": "one", "hpsv2": "two", "lpips": "three"}
    result = RewardModels(places, device="cpu", offline=True, say=print)
    result.loads = loads
    return result


def test_a_model_is_loaded_once_until_another_one_is_needed(models):
    first = models.load("pickscore")
    assert models.load("pickscore") is first and models.loads == [("pickscore", "one", True)]
    models.load("hpsv2")
    assert models.load("pickscore") is not first
    assert [load[0] for load in models.loads] == ["pickscore", "hpsv2", "pickscore"]


def test_lpips_is_a_file(models):
    models.load("lpips")
    assert models.loads == ["three"]
