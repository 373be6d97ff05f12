"""How to install a missing package."""

import os
import shlex
import subprocess
import sys


def install_command(requirement: str) -> str:
    """The command that installs a requirement into the environment of this program.

    For example "/usr/bin/python -m pip install rembg": a bare `pip` is often that of another
    environment.
    """
    words = [sys.executable or "python", "-m", "pip", "install", requirement]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
