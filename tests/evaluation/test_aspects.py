"""Aspects: names, what they compute beside an independent reference, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from stickerforge.errors import InputError
from stickerforge.evaluation.aspect_names import AspectName, measured_aspects, read_aspects
from stickerforge.evaluation.aspects import CustomAspect, checked_scores, load_aspects
from stickerforge.evaluation.validity import validity
from stickerforge.models.common_direction import direction_path, read_direction
from stickerforge.models.judge.model import load_judge
from stickerforge.runtime.console import Console

PROMPTS = ["a red circle, in flat style", "a cat in noto style", "a blue square"]


@pytest.fixture(scope="module")
def pictures():
    """Three simple drawings on clear grounds."""
    images = []
    for colour in ("#d02020", "#208020", "#2020d0"):
        image = Image.new("RGBA", (96, 96))
        ImageDraw.Draw(image).ellipse((20, 20, 76, 76), fill=colour)
        images.append(image)
    return images


def load(*names, given=None, **options):
    own = {"model": "second", "direction": "", "device": "cpu", "offline": True} | options
    return load_aspects(names, given or {}, Console(quiet=True), **own)


def test_names_with_commas_and_weights(tmp_path):
    names = read_aspects(["alignment,validity", f"aesthetic={tmp_path}"])
    assert [name.name for name in names] == ["alignment", "validity", "aesthetic"]
    assert names[2].place == str(tmp_path)
    assert read_aspects([], ["geometry"]) == [AspectName("geometry")]


@pytest.mark.parametrize(
    ("texts", "message", "hint"),
    [
        ([], "no aspect is named", "--aspects"),
        (["aligment"], "unknown aspect 'aligment'", "alignment"),
        (["geometry"], "unknown aspect 'geometry'", ""),
        (["hpsv2"], "weights of hpsv2 must be given", "--aspects hpsv2=FOLDER"),
        (["hpsv2=/gone/x"], "there is no /gone/x", "--aspects hpsv2=FOLDER"),
        (["lpips"], "unknown aspect 'lpips'", ""),
        (["validity=here"], "takes no weights", "--aspects validity"),
        (["aesthetic,aesthetic=a/b"], "named twice", ""),
    ],
)
def test_names_that_are_refused(texts, message, hint):
    with pytest.raises(InputError, match=message) as error:
        read_aspects(texts)
    assert hint in error.value.hint and "--reward" not in str(error.value)


@pytest.mark.parametrize("name", ["alignment", "Geometry!", "hpsv2"])
def test_a_function_has_a_name_of_its_own(name):
    with pytest.raises(InputError, match="a function cannot be"):
        read_aspects([], [name])


def test_the_other_judge_measures_whatever_is_chosen_by():
    titles = [name.title for name in measured_aspects(read_aspects(["validity"]), "second")]
    assert titles == ["validity", "alignment", "style", "alignment@judge", "style@judge"]
    titles = [name.title for name in measured_aspects(read_aspects(["alignment"]), "judge")]
    assert "alignment@second" in titles


@pytest.mark.parametrize("judge", ["second", "judge"])
def test_alignment_is_the_cosine_without_what_all_prompts_share(pictures, judge):
    """Computed anew in float64, from the judge's own vectors."""
    (aspect,) = load(AspectName("alignment"), model=judge)
    network = load_judge(judge)
    images = network.encode_image(network.pictures(pictures)).double().numpy()
    texts = network.encode_text(PROMPTS).double().numpy()
    shared = np.array(read_direction(direction_path(judge)).vector)
    relevant = texts - (texts @ shared)[:, None] * shared
    scores = checked_scores(aspect, pictures, PROMPTS)
    assert np.allclose(scores, (images * relevant).sum(1), atol=0.02)
    assert np.corrcoef(scores, (images * relevant).sum(1))[0, 1] > 0.999


def test_pictures_do_not_change_each_others_scores(pictures):
    for aspect in load(AspectName("alignment"), AspectName("validity")):
        together = checked_scores(aspect, pictures, PROMPTS)
        alone = [
            checked_scores(aspect, [p], [t])[0] for p, t in zip(pictures, PROMPTS, strict=True)
        ]
        assert together == pytest.approx(alone, abs=1e-5)


def test_style_is_the_probability_of_the_style_that_is_named(pictures):
    second, first = load(AspectName("style"), AspectName("style", judge="judge"))
    assert [second.applies(prompt) for prompt in PROMPTS] == [True, True, False]
    for aspect, name in ((second, "second"), (first, "judge")):
        judge = load_judge(name)
        with torch.inference_mode():
            chances = judge.read(judge.pictures(pictures[:2])).style.softmax(1)
        expected = [chances[0, judge.styles.index("flat")], chances[1, judge.styles.index("noto")]]
        assert checked_scores(aspect, pictures[:2], PROMPTS[:2]) == pytest.approx(
            [float(value) for value in expected]
        )
    assert first.name == "style@judge" and first.digest != second.digest


def test_validity_is_that_of_the_pixels(pictures):
    (aspect,) = load(AspectName("validity"))
    expected = [validity(np.asarray(picture)) for picture in pictures]
    assert checked_scores(aspect, pictures, PROMPTS) == expected


def test_a_function_is_given_pictures_and_prompts(pictures):
    def green(images, prompts):
        return [
            np.asarray(image)[..., 1].mean() + len(prompt)
            for image, prompt in zip(images, prompts, strict=True)
        ]

    (aspect,) = load(AspectName("green"), given={"green": green})
    assert checked_scores(aspect, pictures, PROMPTS) == green(pictures, PROMPTS)


@pytest.mark.parametrize(
    "value", [None, 1.0, [1.0], ["good", 1, 2], [1.0, float("nan"), 2.0], [1, float("inf"), 2]]
)
def test_what_is_no_number_for_each_picture_is_refused(pictures, value):
    aspect = CustomAspect("odd", lambda images, prompts: value)
    with pytest.raises(InputError, match="'odd' gives no number for each picture"):
        checked_scores(aspect, pictures, PROMPTS)


def test_weights_that_are_something_else_are_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError):
        load(AspectName("aesthetic", str(tmp_path)))
