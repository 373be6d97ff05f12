"""`python -m stickerforge`, and the `stickerforge` command.

Ctrl-C and SIGTERM are answered from the first line on. So little is imported here at first: the
modules of the command line take a third of a second, in which nothing is begun yet.
"""

import contextlib
import os
import signal
import sys
from importlib import import_module
from types import FrameType

NAMES = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


def main() -> None:
    """Run the command line and leave with the contract's exit code."""
    for number in NAMES:
        if signal.getsignal(number) != signal.SIG_IGN:  # as of a job in the background
            signal.signal(number, leave)
    import_module("stickerforge.cli.app").main()


def leave(number: int, frame: FrameType | None) -> None:
    """End at once: outside of a command's work there is nothing to save, and nothing to undo."""
    message, code = NAMES[signal.Signals(number)], 128 + number
    error = f'{{"code": {code}, "message": "{message}", "hint": ""}}'
    stream, line = 2, f"stickerforge: {message}\n"
    if "--json" in sys.argv:
        stream, line = 1, f'{{"ok": false, "error": {error}}}\n'
    with contextlib.suppress(OSError):
        os.write(stream, line.encode())
    os._exit(code)


if __name__ == "__main__":
    main()
