"""Files that are read back: whoever wrote them, a command ends in one line and the contract's code.

Those of models and adapters are in tests/models/test_weights.py and tests/adapters/test_store.py.
"""

import json

import pytest

from stickerforge.captioning.edits import read_edits
from stickerforge.data.caption_files import RECORD_FILE, CaptionRecord, read_records
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.evaluation.compare_reports import read_report
from stickerforge.evaluation.report import REPORT_FILE, replaced_report
from stickerforge.runtime.files import home
from stickerforge.training.checkpoint import read_checkpoint
from stickerforge.training.metrics_log import read_rows
from stickerforge.training.run_folder import RunFolder
from tests.conftest import one_line

NOT_DATA = ["", "[]", "null", '"x"', "{", '{"a":' * 50_000, '{"a": NaN}', '{"a": 1e999}', "\ud800"]
DEEP_KEY = ".".join(["a"] * 5000)
CHECKPOINT = {
    "step": 3,
    "settings": "0",
    "pictures": "0",
    "file": "checkpoint-000003.safetensors",
    "sha256": "0" * 64,
}
RECORD = dict.fromkeys(CaptionRecord.__dataclass_fields__, "") | {
    "picture": "a.png",
    "source": "model",
}
REPORT = {
    "schema": 1,
    "folder": "made",
    "figures": {"halo": {"value": 1.0}},
    "pictures": [{"file": "a.png", "prompt": "a cat", "values": {"halo": 1.0}}],
}


def write(path, content):
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


@pytest.mark.parametrize(
    "content",
    [
        *NOT_DATA,
        {},
        CHECKPOINT | {"step": -1},
        CHECKPOINT | {"step": 10**12},
        CHECKPOINT | {"step": True},
        CHECKPOINT | {"step": "3"},
        CHECKPOINT | {"settings": None},
        CHECKPOINT | {"file": "../other.safetensors"},
        CHECKPOINT | {"sha256": "0"},
    ],
)
def test_checkpoints(tmp_path, content):
    run = RunFolder(tmp_path)
    write(run.pointer, content)
    for read in (run.checkpoint_info, lambda: read_checkpoint(run)):
        with pytest.raises(InputError, match=r"checkpoint\.json is broken: .*--force"):
            read()


def test_a_checkpoint_that_is_gone(tmp_path):
    assert RunFolder(tmp_path).checkpoint_info() is None
    with pytest.raises(InputError, match="it is gone"):
        read_checkpoint(RunFolder(tmp_path))


def test_rows_of_metrics_are_numbers(tmp_path):
    rows = [
        {"step": 0, "error": 1.5},
        {"step": 1, "error": None},
        {"step": 2, "error": "x"},
        {"step": 3, "error": [1]},
        {"step": True, "error": 1},
        {"step": -1},
        {"step": 10**12},
        {"error": 1.0},
        [],
    ]
    path = write(tmp_path / "metrics.jsonl", "\n".join(map(json.dumps, rows)) + "\n")
    assert read_rows(path) == rows[:2]
    with path.open("a") as file:
        file.write('{"step": 4, "error": 1e999}\n{"step": 5}\n')
    assert read_rows(path) == rows[:2]


@pytest.mark.parametrize(
    "content",
    [
        *[text for text in NOT_DATA if text],
        RECORD | {"picture": "../a.png"},
        RECORD | {"picture": ".."},
        RECORD | {"picture": "a\0.png"},
        RECORD | {"source": "somebody"},
        RECORD | {"caption": None},
        RECORD | {"seal": 5},
    ],
)
def test_records_of_captions(tmp_path, content):
    text = content if isinstance(content, str) else json.dumps(content)
    write(tmp_path / RECORD_FILE, text + "\n")
    with pytest.raises(InputError, match=r"captions\.jsonl is broken"):
        read_records(tmp_path)


def test_records_may_say_more_than_this_version_knows(tmp_path):
    write(tmp_path / RECORD_FILE, json.dumps(RECORD | {"rating": 5}) + "\n")
    assert set(read_records(tmp_path)) == {"a.png"}


@pytest.mark.parametrize(
    "content",
    [
        *NOT_DATA,
        REPORT | {"schema": "1"},
        REPORT | {"schema": 2},
        REPORT | {"figures": []},
        REPORT | {"figures": {"halo": {"value": "1"}}},
        REPORT | {"figures": {"halo": {"value": 1e300}}},
        REPORT | {"figures": {"halo": {"value": 1, "weights": 5}}},
        REPORT | {"figures": {"of tomorrow": {"value": 1}}},
        REPORT | {"pictures": [None]},
        REPORT | {"pictures": [{"file": "a", "prompt": 5, "values": {}}]},
        REPORT | {"pictures": [{"file": "a", "prompt": "", "values": {"halo": None}}]},
    ],
)
def test_reports(cli, tmp_path, content):
    path = write(tmp_path / "report.json", content)
    with pytest.raises(InputError, match="give a report.json of evaluate"):
        read_report(path)
    ended = cli("evaluate", "--compare", path, path)
    assert ended.code == 2 and "report.json" in one_line(ended)


@pytest.mark.parametrize("content", [*NOT_DATA, REPORT | {"folder": "\0"}, REPORT | {"folder": 5}])
def test_what_is_no_report_of_ours_is_not_replaced(tmp_path, content):
    write(tmp_path / REPORT_FILE, content)
    with pytest.raises(InputError, match="did not write them"):
        replaced_report(tmp_path, "made")


@pytest.mark.parametrize("text", [*NOT_DATA[1:], '{"picture": "a.png", "caption": 5, "was": ""}'])
def test_edits_of_captions(tmp_path, text):
    path = write(tmp_path / "edits.jsonl", text)
    with pytest.raises(InputError, match="holds no changes of captions"):
        read_edits(path)


@pytest.mark.parametrize(
    "assignment",
    [
        f"{DEEP_KEY}=1",
        f"sampling.steps={{{DEEP_KEY} = 1}}",
        f"style={{{DEEP_KEY} = 1}}",
        f"sampling.scheduler={{{DEEP_KEY} = 1}}",
        "style=" + "[" * 5000,
        "seed=" + "9" * 5000,
        DEEP_KEY,
        "sampling.guidance=nan",
        "sampling.guidance=1e999",
    ],
)
def test_settings_of_any_depth_and_length(cli, assignment):
    ended = cli("generate", "a cat", "--dry-run", "--set", assignment)
    assert ended.code == 2 and ended.out == ""
    assert len(ended.err.splitlines()) == 1 and len(ended.err) < 1000


@pytest.mark.parametrize(
    "text", [f"{DEEP_KEY} = 1", f"[{DEEP_KEY}]\nb = 1", "a = " + "[" * 5000, "seed = nan"]
)
def test_configurations_of_any_depth(cli, tmp_path, text):
    (tmp_path / "file.toml").write_text(text)
    ended = cli("generate", "a cat", "--dry-run", "--config", "file.toml")
    assert ended.code == 2 and len(ended.err.splitlines()) == 1 and len(ended.err) < 1000


def test_a_home_of_nobody(cli, monkeypatch):
    monkeypatch.setenv("STICKERFORGE_HOME", "~nobody-of-that-name/x")
    for arguments in (("adapters", "list"), ("generate", "a cat", "--adapter", "dog")):
        ended = cli(*arguments)
        assert ended.code == 2 and "there is no such home" in one_line(ended)


@pytest.mark.parametrize("gone", ["unset", "empty"])
def test_a_home_that_nobody_names(cli, monkeypatch, gone):
    monkeypatch.delenv("STICKERFORGE_HOME")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    if gone == "empty":
        monkeypatch.setenv("HOME", "")
    else:
        monkeypatch.delenv("HOME")
        monkeypatch.setattr("pwd.getpwuid", lambda number: {}[number])
    with pytest.raises(EnvironmentFault, match="nothing says where your home is; set HOME"):
        home()
    ended = cli("adapters", "list")
    assert ended.code == 3 and "nothing says where your home is" in one_line(ended)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert str(home()) == "/data/stickerforge"
