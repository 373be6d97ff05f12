"""Ctrl-C ends the tests, also while one of them runs a command that handles it."""

import os
import signal
import subprocess
import sys

import pytest

TESTS = """
import os
import signal
import time

import pytest

from stickerforge.commands import adapters


@pytest.mark.parametrize("number", range(6))
def test_that_is_interrupted(cli, monkeypatch, number):
    def press():
        os.killpg(0, signal.SIGINT)  # as a terminal does: the whole group
        time.sleep(60)

    monkeypatch.setattr(adapters, "list_adapters", press)
    cli("adapters", "list")
"""


@pytest.mark.parametrize("workers", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)])
def test_ctrl_c_ends_the_tests(tmp_path, workers):
    (tmp_path / "test_it.py").write_text(TESTS)
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "tests.command_line", "-p", "no:cacheprovider", "-q"]
        + [*workers, f"--rootdir={tmp_path}", str(tmp_path / "test_it.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        out, _ = process.communicate(timeout=300)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, out
    assert "KeyboardInterrupt" in out and "passed" not in out
    with pytest.raises(ProcessLookupError):  # its workers have ended, too
        os.killpg(process.pid, 0)
