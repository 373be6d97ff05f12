"""Calls that write into one folder at once."""

import numpy as np
import pytest

from stickerforge.config.resolve import resolve
from stickerforge.config.schema import GenerateConfig
from stickerforge.errors import InputError
from stickerforge.generation.checks import warn_of_changes
from stickerforge.generation.pipeline import hold_ids
from stickerforge.generation.plan import plan_generation
from stickerforge.runtime.console import Console
from stickerforge.stickers.image_files import encode_image


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """A plan of a call for one image, named by an id or not."""
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def make(seed, *, id="a"):
        (tmp_path / "p.csv").write_text(f"prompt,id\ncat,{id}\n")
        settings = {"prompts": "p.csv", "seed": seed}
        return plan_generation(resolve(GenerateConfig, settings), Console(quiet=True))

    return make


def write(plan):
    (job,) = plan.jobs
    job.path.parent.mkdir(exist_ok=True)
    job.path.write_bytes(encode_image(np.zeros((32, 32, 4), np.uint8), job.params, "test", "png"))


def test_two_calls_with_ids_take_turns(plan, tmp_path):
    first, second = plan(1), plan(2)
    with (
        hold_ids(first, force=False),
        pytest.raises(InputError, match="another call is writing images with ids into stickers"),
        hold_ids(second, force=False),
    ):
        pass
    assert not (tmp_path / "stickers").exists(), "the lock lies at home"
    with hold_ids(second, force=False):
        pass


@pytest.mark.parametrize("other", [{"id": ""}, {"id": "a", "force": True}])
def test_names_that_hold_a_digest_and_force_need_no_turns(plan, other):
    force = other.pop("force", False)
    with hold_ids(plan(1), force=False), hold_ids(plan(2, **other), force=force):
        pass


def test_what_another_call_made_meanwhile_is_not_replaced(plan):
    late, same, other = plan(1), plan(2), plan(2)
    write(other)
    with pytest.raises(InputError, match="holds a.png"), hold_ids(late, force=False):
        pass
    with hold_ids(same, force=False):  # the same image: it may be written again
        pass


@pytest.mark.parametrize(
    "adapters",
    [[{"adapter": []}], [{"adapter": {"a": 1}, "sha256": []}], [None, 1, {}], {"a": 1}, "dog"],
)
def test_what_a_strangers_picture_says_of_its_adapters_is_data(plan, adapters):
    made, console = plan(1), Console(quiet=True)
    params = made.jobs[0].params | {"adapters": adapters}
    warn_of_changes(params, made.jobs, made.card, made.fingerprint, console)
    assert not console.warnings
