"""Results of experiments that take hours: kept under everything that decides them, so that a call can be interrupted and go on."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stickerforge.models.catalog import located
from stickerforge.models.weights import fingerprint
from stickerforge.runtime.files import locked, write_whole


class Kept:
    """Results in a file that grows.

    Args:
        about: what decides every result: the model, the measuring.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path, self.about, self.model = path, dict(about), fingerprint(located("sticker-mini").folder)
        self.known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def get(self, name: str, decides: Mapping[str, Any], make: Callable[[], Any]) -> Any:
        """What is known under a name and all that decides it, or what is made now.

        Raises:
            SystemExit: the shipped model was changed under the experiment.
        """
        whole = json.dumps([self.model, self.about, dict(decides)], sort_keys=True, default=str)
        key = f"{name} {hashlib.sha256(whole.encode()).hexdigest()[:12]}"
        if key not in self.known:
            started, made = time.monotonic(), make()
            if fingerprint(located("sticker-mini").folder) != self.model:
                raise SystemExit("sticker-mini was changed while it was used: start again")
            self.known[key] = made
            write_whole(self.path, (json.dumps(self.known) + "\n").encode())
            print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
        return self.known[key]


@contextmanager
def kept(path: Path, about: Mapping[str, Any]) -> Iterator[Kept]:
    """The results, which nobody else may write meanwhile.

    Raises:
        SystemExit: another process does.
    """
    with locked(path.with_suffix(".lock"), wait=False) as free:
        if not free:
            raise SystemExit(f"another process writes {path}: give another --out")
        yield Kept(path, about)
