"""Results of experiments that take hours, under everything that decides them.

A call can be interrupted and goes on. Several processes may share the work: the same call, started
once per core, with one thread each.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stickerforge.runtime.files import locked, write_whole


@dataclass(frozen=True)
class Task:
    """A result that is wanted.

    Args:
        decides: all that decides it, beside what decides every result.
        make: of something that JSON can hold.
    """

    name: str
    decides: Mapping[str, Any] = field(hash=False)
    make: Callable[[], Any] = field(hash=False, compare=False)


class ResultCache:
    """Results in a folder, one file each.

    Args:
        about: what decides every result, as it is now: the model, the measuring, the code.
    """

    def __init__(self, folder: Path, about: Callable[[], Mapping[str, Any]]) -> None:
        self.folder, self.now, self.about = folder, about, about()

    def all(self, tasks: Iterable[Task]) -> list[Any]:
        """The results of tasks; what another process is making is waited for.

        The first process goes from the front, a second one from the back: they seldom meet, and
        what tasks in a row share is made once.
        """
        requested = list(tasks)
        missing = [task for task in requested if not self._path(task).exists()]
        if missing and not self._made(missing[0], wait=False):
            missing.reverse()
        for task in missing:
            self._made(task, wait=False)
        for task in requested:
            self._made(task, wait=True)
        return [json.loads(self._path(task).read_text()) for task in requested]

    def _path(self, task: Task) -> Path:
        key = json.dumps([self.about, dict(task.decides)], sort_keys=True, default=str)
        return self.folder / f"{task.name} {hashlib.sha256(key.encode()).hexdigest()[:12]}.json"

    def _made(self, task: Task, *, wait: bool) -> bool:
        """Whether the result is there, made now where it was not.

        Not where another process is making it and we do not wait.

        Raises:
            SystemExit: something that decides every result was changed under the experiment.
        """
        path = self._path(task)
        if not path.exists():
            with locked(path.with_suffix(".lock"), wait=wait) as free:
                if free and not path.exists():
                    self._make(task, path)
        return path.exists()

    def _make(self, task: Task, path: Path) -> None:
        started, result = time.monotonic(), task.make()
        if self.now() != self.about:
            raise SystemExit(
                f"what decides the results was changed while {task.name} was made: start again"
            )
        write_whole(path, (json.dumps(result) + "\n").encode())
        print(
            f"{time.strftime('%H:%M:%S')} {task.name}: {time.monotonic() - started:.0f} s",
            flush=True,
        )
