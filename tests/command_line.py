"""The command line in this process; imports no model, which take long to load."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from stickerforge.cli.app import main

INTERRUPTED = 130


@dataclass
class Ended:
    """How a command line ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)

    @property
    def outputs(self) -> list[dict[str, Any]]:
        return self.json["result"]["outputs"]


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path):
    """Run `stickerforge …` here, in an empty folder, with a home of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))

    def run(*arguments: object) -> Ended:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        caught = capsys.readouterr()
        if end.value.code == INTERRUPTED:  # the command took the Ctrl-C that was for the tests
            raise KeyboardInterrupt
        return Ended(int(end.value.code or 0), caught.out, caught.err)

    return run


def one_line(ended: Ended) -> str:
    """The error of a failed call: nothing on stdout, exactly one line on stderr, no traceback."""
    assert ended.out == ""
    lines = [line for line in ended.err.splitlines() if not line.startswith(("seed ", "warning: "))]
    assert len(lines) == 1, ended.err
    assert lines[0].startswith("stickerforge: ")
    assert len(lines[0]) < 400
    return lines[0]
