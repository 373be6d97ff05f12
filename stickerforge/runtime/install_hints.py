"""How a package that is missing is had."""

import os
import shlex
import subprocess
import sys


def install_command(requirement: str) -> str:
    """The command that installs a requirement where this program runs: "/usr/bin/python -m pip install rembg".

    A bare `pip` is often that of another environment.
    """
    words = [sys.executable or "python", "-m", "pip", "install", requirement]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
