"""What a call of `caption` is about."""

import pytest

from stickerforge.captioning.plan import plan_captions
from stickerforge.config.resolve import resolve
from stickerforge.config.schema import CaptionConfig
from stickerforge.runtime.console import Console
from tests.captioning.toys import write_toys


@pytest.fixture
def toys(tmp_path):
    return write_toys(tmp_path / "toys")


def test_a_plan_knows_what_is_kept(toys):
    (toys / "one.txt").write_text("a <duck>")
    plan = plan_captions(
        resolve(CaptionConfig, {"pictures": str(toys), "subject": "duck"}), Console(quiet=True)
    )
    assert (
        plan.by_people == {"one.png": "a <duck>"}
        and plan.subject.pair("Duck on a duck pond").text == "<duck> on a duck pond"
    )
    assert (
        plan.subject.pair("").text == "<duck>"
        and plan.subject.pair("something yellow").base == "duck, something yellow"
    )
