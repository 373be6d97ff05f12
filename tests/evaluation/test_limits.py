"""--fail-under: what is a limit, what can be kept, what was not."""

import pytest

from stickerforge.errors import InputError
from stickerforge.evaluation.limits import Limit, broken_limit, check_limit, parse_limit
from stickerforge.evaluation.metrics.base import METRICS
from stickerforge.evaluation.scores import Score

ALL = set(METRICS)
SCORES = [Score("alignment@judge", 0.25, (0, 1), 8, 8), Score("halo", 12.5, (0, 1), 8, 8)]


def test_parsing():
    assert parse_limit("alignment@judge=0.3") == Limit("alignment@judge", 0.3)
    for text in ("halo", "halo=", "halo=nan", "beauty=1", "=1", ""):
        with pytest.raises(InputError, match="is no limit"):
            parse_limit(text)
    with pytest.raises(InputError, match="neither better high nor low"):
        parse_limit("softness=3")


@pytest.mark.parametrize(
    "name, names, given, hint",
    [
        ("halo", ALL, set(), ""),
        ("halo", {"bytes"}, set(), "add it to --metrics"),
        ("alignment", ALL, {"prompt"}, ""),
        ("subject_best@judge", ALL, {"prompt"}, "it needs --reference"),
        ("subject_best", ALL, {"reference"}, ""),
        ("subject_best", {"halo"}, set(), "add it to --metrics"),
        ("style_similarity", ALL, {"reference"}, "it needs --style-reference"),
        ("drift", ALL, set(), "it needs --baseline"),
        ("pickscore", ALL, set(), "it needs --reward with its weights"),
        ("pickscore", {"halo"}, {"pickscore"}, ""),
        ("lpips_diversity", ALL, {"lpips"}, ""),
        ("kernel_distance", ALL, set(), ""),
    ],
)
def test_what_will_not_be_measured_is_refused(name, names, given, hint):
    if not hint:
        check_limit(Limit(name, 1), names, given)
        return
    with pytest.raises(InputError, match=f"{name} would not be measured") as error:
        check_limit(Limit(name, 1), names, given)
    assert error.value.hint == hint


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("alignment", 0.2, ""),
        ("alignment", 0.25, ""),
        ("alignment", 0.3, "alignment@judge is 0.250, under 0.3"),
        ("alignment@judge", 0.3, "alignment@judge is 0.250, under 0.3"),
        ("halo", 20, ""),
        ("halo", 12, "halo is 12.5, over 12"),
    ],
)
def test_broken_limits(name, value, message):
    assert broken_limit(Limit(name, value), SCORES) == message


def test_a_limit_on_another_encoder_is_refused():
    with pytest.raises(InputError, match="alignment@clip was not measured") as error:
        broken_limit(Limit("alignment@clip", 0.3), SCORES)
    assert error.value.hint == "there are alignment@judge, halo"
