"""What a person is told to type is one argument per word, in the environment that runs."""

import os
import shlex
import sys

import pytest

from stickerforge.runtime.install_hints import install_command


@pytest.mark.skipif(os.name == "nt", reason="quotes of POSIX shells")
def test_a_requirement_is_one_word_of_the_shell(monkeypatch):
    assert shlex.split(install_command("rembg[cpu]")) == [
        sys.executable,
        "-m",
        "pip",
        "install",
        "rembg[cpu]",
    ]
    monkeypatch.setattr(sys, "executable", "/home/my user/python")
    assert shlex.split(install_command("x"))[0] == "/home/my user/python"
