"""The background training."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from examples.recipes.mini import (
    background,
)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_the_background_training_is_started_once_and_stopped(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(background, "PID", tmp_path / "pid")
    assert background.running_pid() == 0
    (tmp_path / "pid").write_text("999999999")
    assert background.running_pid() == 0  # of a machine that is gone
    waiter = tmp_path / "background.py"
    waiter.write_text("import time; time.sleep(60)")
    process = subprocess.Popen([sys.executable, str(waiter)])
    (tmp_path / "pid").write_text(str(process.pid))
    time.sleep(0.3)
    assert background.running_pid() == process.pid
    background.start()
    assert "runs already" in capsys.readouterr().out
    process.kill()
    process.wait()
    assert background.running_pid() == 0
