"""How a package that is missing is had."""

import shlex
import sys


def install(requirement: str) -> str:
    """The command that installs a requirement where this program runs: "/usr/bin/python -m pip install rembg".

    A bare `pip` is often that of another environment.
    """
    return f"{shlex.quote(sys.executable)} -m pip install {shlex.quote(requirement)}"
