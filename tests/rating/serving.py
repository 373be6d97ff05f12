"""`stickerforge rate` in a process of its own, and what its page posts."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Server:
    """A call that serves its page."""

    def __init__(self, home, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stickerforge", "rate", *map(str, arguments)],
            cwd=ROOT,
            env=os.environ | {"STICKERFORGE_HOME": str(home), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = ""
        while not (found := re.search(r"http://\S+", self.said)):
            line = self.process.stderr.readline()
            assert line, self.said
            self.said += line
        self.url = found[0]

    def post(self, **message):
        return post(self.url, message)

    def end(self, number=signal.SIGINT):
        """(exit code, stdout, stderr) after a signal."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


@contextlib.contextmanager
def serving(home, *arguments):
    """A call that serves its page, killed at the end if it still runs."""
    server = Server(home, *arguments)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.communicate(timeout=20)


def post(url, message):
    """What a page is answered."""
    request = urllib.request.Request(
        url, json.dumps(message).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


def get(url):
    """(status, headers, content) of what is asked for."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()
