"""Settings from several sources become a checked configuration."""

import pytest

from stickerforge.config.resolve import resolve
from stickerforge.config.schema import CustomizeConfig, EvaluateConfig, GenerateConfig, RateConfig
from stickerforge.errors import InputError


def test_later_sources_win():
    config = resolve(GenerateConfig, {"count": 2, "sampling.steps": 5}, {"count": 3})
    assert (config.count, config.sampling.steps, config.output.size) == (3, 5, 512)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"sampling.stepz": 3}, "did you mean 'sampling.steps'"),
        ({"steps": 3}, "did you mean 'sampling.steps'"),
        ({"count": 0}, "give 1 to 10000"),
        ({"count": "many"}, "not a whole number"),
        ({"count": True}, "not a whole number"),
        ({"seed": -1}, "out of range"),
        ({"sampling.guidance": float("nan")}, "out of range"),
        ({"output.format": "gif"}, "choose one of png, webp"),
        ({"output.prompt": "yes"}, "true or false"),
        ({"prompt": 7}, "not a list of texts"),
    ],
)
def test_wrong_settings_are_named(source, said):
    with pytest.raises(InputError, match="(?s).*") as caught:
        resolve(GenerateConfig, source)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "source", "path", "value"),
    [
        (GenerateConfig, {"sampling.guidance": 3}, "sampling.guidance", 3.0),
        (GenerateConfig, {"prompt": "cat"}, "prompt", ("cat",)),
        (GenerateConfig, {"prompt": ["cat", "dog"]}, "prompt", ("cat", "dog")),
        (GenerateConfig, {"seed": None}, "seed", None),
        (GenerateConfig, {"sampling.steps": None}, "sampling.steps", None),
        (CustomizeConfig, {"training.beta": "auto"}, "training.beta", "auto"),
        (CustomizeConfig, {"training.beta": 8}, "training.beta", 8.0),
        (CustomizeConfig, {"training.layers": "all"}, "training.layers", "all"),
        (EvaluateConfig, {"allow_small": True}, "allow_small", True),
    ],
)
def test_values_take_the_type_of_their_setting(kind, source, path, value):
    config = resolve(kind, source)
    for name in path.split("."):
        config = getattr(config, name)
    assert (config, type(config)) == (value, type(value))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"training.beta": "much"}, "give a number, or auto"),
        ({"training.beta": True}, "not a number"),
        ({"training.beta": 0}, "give 1e-06 to 1000000.0"),
        ({"training.layers": "some"}, "choose one of attention, all"),
        ({"training.layers": 3}, "choose one of attention, all"),
        ({"training.lr": 10**400}, "out of range"),
        ({"seed": 10**50}, "a huge number is out of range"),
        ({"training.snr_gama": 1.0}, "did you mean 'training.snr_gamma'"),
        ({"mask": "\udcff"}, "bytes that are no text"),
        ({"words": 3}, "class_words = 3 is not a text"),
    ],
)
@pytest.mark.filterwarnings("ignore:the setting words")
def test_wrong_settings_of_training_are_named(source, message):
    with pytest.raises(InputError) as caught:
        resolve(CustomizeConfig, source)
    assert message in str(caught.value)


@pytest.mark.parametrize("value", ["taste", 3, True, ["match"]])
def test_a_choice_that_may_be_left_out_is_named_with_its_words(value):
    assert resolve(RateConfig, {"question": None}).question is None
    assert resolve(RateConfig, {"question": "pair"}).question == "pair"
    with pytest.raises(InputError, match="choose match or style or pair"):
        resolve(RateConfig, {"question": value})
