"""From a plan to its files."""

import subprocess
import sys
from pathlib import Path

import pytest

from stickerforge.config.resolve import resolve
from stickerforge.config.schema import GenerateConfig
from stickerforge.generation.pipeline import run_plan
from stickerforge.generation.plan import plan_generation
from stickerforge.runtime.console import Console

SETTINGS = {"prompt": ["cat"], "count": 3, "seed": 1, "sampling.steps": 1}


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def plan(**changes):
    return plan_generation(resolve(GenerateConfig, SETTINGS, changes), Console(quiet=True))


def test_a_plan_says_what_will_be_made_and_writes_nothing():
    planned = plan()
    assert [job.seed for job in planned.open_jobs] == [1, 2, 3] and not planned.done
    assert planned.device in ("cpu", "cuda", "mps") and planned.seed_was_given
    assert 'command = "generate"' in planned.settings and not planned.folder.exists()


def test_what_is_there_is_not_made_again_and_needs_no_model(monkeypatch):
    first = run_plan(plan(count=2), Console(quiet=True))
    assert first.failed == [] and first.sheet == Path("stickers/contact-sheet.png")
    rest = plan()
    assert [job.seed for job in rest.open_jobs] == [3]
    images = run_plan(rest, Console(quiet=True))
    assert [job.seed for job in images.jobs] == [1, 2, 3]
    assert all(job.path.exists() for job in images.jobs)
    monkeypatch.setitem(sys.modules, "stickerforge.generation.inference", None)
    again = run_plan(plan(), Console(quiet=True))
    assert again.jobs == images.jobs and again.sheet == images.sheet


def test_one_image_gets_no_sheet_and_a_call_can_do_without():
    assert run_plan(plan(count=1), Console(quiet=True)).sheet is None
    changes = {"output.sheet": False}
    assert run_plan(plan(count=2, **changes), Console(quiet=True)).sheet is None


def test_a_call_is_checked_before_torch_is_imported(tmp_path):
    """The check of the settings file is the last one before that of the device."""
    (tmp_path / "generate.toml").write_text("# mine")
    program = f"""
import sys
from stickerforge import generate
from stickerforge.errors import InputError
try:
    generate("cat", settings={{"output.folder": {str(tmp_path)!r}}})
except InputError as error:
    assert "did not write it" in str(error), error
else:
    raise AssertionError("nothing was checked")
assert not {{"torch", "diffusers", "scipy"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
