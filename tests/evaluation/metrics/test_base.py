"""The registry: what is declared, in which order, and what the declarations decide."""

import pkgutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from stickerforge.errors import InputError
from stickerforge.evaluation import metrics
from stickerforge.evaluation.metrics.base import (
    METRICS,
    groups,
    metric,
    metric_of,
    missing_need,
    select_metrics,
)
from stickerforge.models.hub import REWARDS
from tests.evaluation.inputs import metric_input

GROUPS = {  # in the order of reports
    "prompt": ["alignment", "facts"],
    "reference": ["subject_similarity", "subject_best"],
    "style": ["style_similarity"],
    "baseline": ["drift"],
    "reward": ["pickscore", "hpsv2", "aesthetic", "vqascore", "lpips_diversity", "lpips_drift"],
    "cutout": [
        "coverage",
        "box",
        "border_touch",
        "holes",
        "stray",
        "parts",
        "softness",
        "halo",
        "haze",
        "legibility",
    ],
    "size": [
        "bytes",
        "fits_whatsapp",
        "fits_telegram",
        "fits_signal",
        "fits_imessage",
        "fits_discord",
    ],
    "set": ["diversity", "duplicates", "copies"],
    "distance": ["kernel_distance", "frechet_distance"],
}
PAIRED = {"alignment", "facts", "subject_similarity", "style_similarity"}
PAIRED |= {"halo", "holes", "stray", "haze", "legibility", *GROUPS["size"][1:]}
PAIRED |= {"pickscore", "hpsv2", "aesthetic", "vqascore"}


def test_the_metrics_and_groups_in_the_order_of_reports():
    assert list(METRICS) == [name for names in GROUPS.values() for name in names]
    assert groups() == list(GROUPS)
    assert all(METRICS[name].group == group for group, names in GROUPS.items() for name in names)


def test_what_is_compared_with_the_baseline():
    assert {item.name for item in METRICS.values() if item.paired} == PAIRED


def test_every_module_of_the_folder_is_imported():
    names = {info.name for info in pkgutil.iter_modules(metrics.__path__)}
    assert set(metrics.ORDER) <= names - {"base"}, "a new module needs no place in the order"
    assert all(f"{metrics.__name__}.{name}" in sys.modules for name in names)


def test_a_new_file_is_found_and_comes_last(tmp_path, monkeypatch):
    (tmp_path / "aaa.py").write_text(
        "from stickerforge.evaluation.metrics.base import metric\n"
        "@metric('new', group='mine', better='', about='')\n"
        "def new(data):\n    return 1.0\n"
    )
    code = (
        "import sys, pkgutil; sys.path.append('.'); import stickerforge.evaluation as package;"
        "walk = pkgutil.iter_modules;"
        f"pkgutil.iter_modules = lambda path: (path.append({str(tmp_path)!r}), walk(path))[1];"
        "from stickerforge.evaluation.metrics.base import METRICS; print(list(METRICS)[-2:])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout == "['frechet_distance', 'new']\n", ended.stderr


def test_listing_metrics_needs_no_torch():
    code = "import stickerforge.evaluation.metrics, sys; print('torch' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout == "False\n", ended.stderr


def test_every_reward_has_a_metric():
    assert {item.weights for item in METRICS.values() if item.weights} == set(REWARDS)


def test_a_name_is_declared_once_and_needs_what_there_is():
    for fields in ({"name": "halo"}, {"name": "odd", "needs": ("luck",)}):
        with pytest.raises(AssertionError):
            metric(**fields, group="set", better="", about="")(lambda data: None)
    assert "odd" not in METRICS


@pytest.mark.parametrize(
    "selection, names",
    [
        ([], set(METRICS)),
        (["prompt"], {"alignment", "facts"}),
        (["halo, bytes", " set"], {"halo", "bytes", "diversity", "duplicates", "copies"}),
        ([",", ""], set(METRICS)),
    ],
)
def test_selections(selection, names):
    assert select_metrics(selection) == names


@pytest.mark.parametrize(
    "name, hint",
    [("haloo", "did you mean 'halo'?"), ("beauty", f"groups are {', '.join(GROUPS)}")],
)
def test_an_unknown_metric_is_named(name, hint):
    with pytest.raises(InputError, match=f"unknown metric '{name}'") as error:
        select_metrics([name])
    assert error.value.hint == hint


def test_what_is_missing():
    assert missing_need(METRICS["halo"], set()) == ""
    assert missing_need(METRICS["subject_best"], {"baseline"}) == "--reference"
    assert missing_need(METRICS["subject_best"], {"reference"}) == ""
    assert missing_need(METRICS["lpips_drift"], {"baseline"}) == "--reward with its weights"
    assert missing_need(METRICS["lpips_drift"], {"lpips"}) == "--baseline"
    assert metric_of("alignment@judge") is METRICS["alignment"]


def test_an_input_knows_what_it_holds():
    pictures = [SimpleNamespace(), SimpleNamespace()]
    data = metric_input(pictures, ["a", ""], places=("lpips",), baseline=pictures[:1])
    data.targets["baseline"] = data.targets["pictures"][:1]
    assert data.given == {"pictures", "baseline", "prompt", "lpips"}
    assert data.keys == ["a", "1"] and data.shared_keys == ["a"]
    baseline = data.of_baseline()
    assert baseline.pictures == pictures[:1] and baseline.texts == ["a"]
    assert baseline.given == {"pictures", "prompt", "lpips"}


def test_shared_work_is_done_once_for_each_input():
    calls = []

    def count(data):
        calls.append(data)
        return len(calls)

    pictures = [SimpleNamespace()]
    data = metric_input(pictures, ["a"], baseline=pictures)
    assert [data.once(count), data.once(count)] == [1, 1]
    assert data.of_baseline().once(count) == 2
