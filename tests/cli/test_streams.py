"""Streams that nobody reads, that are full or closed, and signals at any moment: contract codes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def start(*arguments, home, python=(), **streams):
    """The command line as a process of its own."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    environment = os.environ | {"STICKERFORGE_HOME": str(home)}
    command = [sys.executable, *python, "-m", "stickerforge", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, text=True, **streams)


def end(process):
    """(exit code, stdout, stderr)."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


GENERATE = ("generate", "cat", "--seed", 1, "--steps", 1, "--out", "made")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("models", "list"), 0),
        (("models", "list", "--json"), 0),
        (("--help",), 0),
        (("customize", "--help"), 0),
        (("--version",), 0),
        (("adapters", "show", "nobody"), 2),
        (("adapters", "show", "nobody", "--json"), 2),
        (("generate", "--nonsense", "--json"), 2),
    ],
)
def test_a_reader_that_has_gone_is_no_fault(tmp_path, arguments, code):
    read, write = os.pipe()
    os.close(read)
    process = start(*arguments, home=tmp_path, stdout=write)
    os.close(write)
    ended, _, err = end(process)
    assert ended == code
    assert "Traceback" not in err and err.count("\n") == (code == 2 and "--json" not in arguments)


@needs_full
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("models", "list"), 3, "No space left"),
        (("adapters", "list", "--json"), 3, "No space left"),
        (("--help",), 3, "No space left"),
        (("adapters", "show", "nobody"), 2, "no adapter"),
        (("adapters", "show", "nobody", "--json"), 2, "no adapter"),
        (("generate", "--nonsense", "--json"), 2, "nonsense"),
    ],
)
def test_what_a_full_disk_does_not_take_is_said_on_stderr(tmp_path, arguments, code, said):
    with FULL.open("w") as full:
        ended, _, err = end(start(*arguments, home=tmp_path, stdout=full))
    (line,) = err.splitlines()
    assert ended == code and line.startswith("stickerforge: ") and said in line


@needs_full
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("adapters", "show", "nobody"), 2),
        (("nonsense",), 2),
        (("adapters", "list"), 0),
    ],
)
def test_messages_that_cannot_be_written_change_no_exit_code(tmp_path, arguments, code):
    with FULL.open("w") as full:
        process = start(*arguments, home=tmp_path, stderr=full, cwd=tmp_path)
        assert end(process)[0] == code


def open_unread():
    """A pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    return os.fdopen(write, "w", buffering=1)


@pytest.mark.parametrize(
    "open_stream",
    [open_unread, pytest.param(lambda: FULL.open("w", buffering=1), marks=needs_full)],
)
def test_work_goes_on_when_its_messages_cannot_be_written(cli, monkeypatch, open_stream):
    """Here and not in a process of its own, which takes ten times as long to load libraries."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", open_stream())
        ended = cli("generate", "cat", "catt", *GENERATE[2:])
    assert ended.code == 0 and len(list(Path("made").glob("cat*.png"))) == 2


@pytest.mark.parametrize(
    ("arguments", "closed", "code"),
    [
        ("adapters list", ">&-", 0),
        ("--help", "<&- >&-", 0),
        ("adapters remove nobody", "2>&-", 2),
        ("evaluate nowhere --json", "<&- >&- 2>&-", 2),
    ],
)
def test_closed_streams_change_no_exit_code(tmp_path, arguments, closed, code):
    shell = f"{sys.executable} -m stickerforge {arguments} {closed}"
    environment = os.environ | {"STICKERFORGE_HOME": str(tmp_path)}
    ended = subprocess.run(shell, shell=True, env=environment, capture_output=True, timeout=120)
    assert ended.returncode == code and b"Traceback" not in ended.stderr


def test_no_file_takes_the_place_of_a_closed_stream(tmp_path):
    """What libraries print would end in it."""
    program = (
        "import os, sys\n"
        "from stickerforge.runtime.console import open_standard_streams\n"
        "open_standard_streams()\n"
        f"assert os.open({str(tmp_path / 'file')!r}, os.O_CREAT | os.O_WRONLY) > 2\n"
        "print('lost'); print('lost', file=sys.stderr)\n"
    )
    shell = f"{sys.executable} -c '{program.replace(chr(39), chr(34))}' <&- >&- 2>&-"
    assert subprocess.run(shell, shell=True, timeout=60).returncode == 0
    assert (tmp_path / "file").read_bytes() == b""


def imports_of(process):
    """The modules that a process with `-X importtime` imports, one by one."""
    for line in process.stderr:
        if line.startswith("import time:"):
            yield line.rpartition("|")[2].strip()


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("typer._click.core", ("--help",)),
        ("typer", ("models", "list", "--json")),
        ("stickerforge.cli.options", ("adapters", "list")),
        ("stickerforge.adapters.store", ("merge", "a", "b", "--name", "c")),
        ("stickerforge.models.card", ("doctor",)),
        ("torch.storage", GENERATE),  # in the midst of torch: right after it the folder is made
    ],
)
def test_a_signal_during_imports(tmp_path, module, arguments, number, code, word):
    process = start(*arguments, home=tmp_path, python=("-X", "importtime"), cwd=tmp_path)
    assert module in imports_of(process)
    process.send_signal(number)
    ended, out, err = end(process)
    assert ended == code and "Traceback" not in err
    if "--json" in arguments:
        assert json.loads(out)["error"] == {"code": code, "message": word, "hint": ""}
    else:
        lines = [line for line in err.splitlines() if not line.startswith("import time:")]
        assert [line.partition(";")[0] for line in lines] == [f"stickerforge: {word}"]
    assert not (tmp_path / "made").exists()


def test_a_job_in_the_background_ignores_the_signals_of_its_shell(tmp_path):
    process = start(
        "adapters",
        "list",
        home=tmp_path,
        python=("-X", "importtime"),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert "typer" in imports_of(process)
    process.send_signal(signal.SIGINT)
    assert end(process)[0] == 0
