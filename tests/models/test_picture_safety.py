"""A safety classifier: the labels that mean unsafe, and their probabilities."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, ViTForImageClassification

from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.models.picture_safety import load_safety
from tests.tiny import write_tiny_classifier

LABELS = ("drawings", "hentai", "neutral", "Porn", "sexy")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_classifier(tmp_path_factory.mktemp("classifier"), LABELS)


def pictures():
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)) for _ in range(5)]


def test_the_score_is_the_sum_of_the_probabilities_of_the_unsafe_labels(folder):
    network = ViTForImageClassification.from_pretrained(folder).eval()
    inputs = AutoImageProcessor.from_pretrained(folder)(pictures(), return_tensors="pt")
    with torch.no_grad():
        expected = network(**inputs).logits.softmax(1)
    for labels, columns in ((("porn", "HENTAI", "sexy"), [1, 3, 4]), (("porn", "gore"), [3])):
        scores = load_safety(str(folder), labels).scores(pictures())
        assert scores == pytest.approx(expected[:, columns].sum(1).tolist(), abs=1e-5)


def test_labels_that_do_not_exclude_each_other_have_a_probability_each(tmp_path):
    many = write_tiny_classifier(tmp_path, ("gore", "nude"), problem="multi_label_classification")
    network = ViTForImageClassification.from_pretrained(many).eval()
    inputs = AutoImageProcessor.from_pretrained(many)(pictures(), return_tensors="pt")
    with torch.no_grad():
        expected = network(**inputs).logits.sigmoid()[:, 1]
    scores = load_safety(str(many), ("nude",)).scores(pictures())
    assert scores == pytest.approx(expected.tolist(), abs=1e-5)


def test_pictures_with_alpha_are_laid_on_white(folder):
    safety = load_safety(str(folder), LABELS[:2])
    clear, white = Image.new("RGBA", (40, 40), (255, 0, 0, 0)), Image.new("RGB", (40, 40), "white")
    first, second = safety.scores([clear, white])
    assert first == pytest.approx(second)


def test_a_classifier_without_such_labels_names_its_own(folder):
    with pytest.raises(InputError, match="its own are drawings, hentai, neutral") as error:
        load_safety(str(folder), ("violent",))
    assert "safety_labels" in error.value.hint


def test_what_is_no_classifier(tmp_path, clip):
    with pytest.raises(InputError, match="no folder 'nowhere'"):
        load_safety("nowhere", LABELS)
    with pytest.raises((InputError, EnvironmentFault)):
        load_safety(str(clip), LABELS)
    with pytest.raises(EnvironmentFault, match="cache"):
        load_safety("owner/not-there", LABELS, offline=True)
