"""The page on which people decide: served to this machine, or as a file for another one."""

import hashlib
import io
import json
import os
import secrets
import threading
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from stickerforge.data.pictures import load_picture
from stickerforge.errors import InputError, StickerforgeError
from stickerforge.rating.answer_store import AnswerStore
from stickerforge.rating.rater_queue import RaterQueue, is_swapped
from stickerforge.rating.rating_task import RatingTask, known_digest
from stickerforge.rating.ratings import Answer, rater_name
from stickerforge.runtime.files import write_whole
from stickerforge.web.template import fill_template, script_safe

PAGE = "rate.html"
SHOWN_SIDE = 1024  # pixels of the longer side of what is shown
AHEAD = 6  # items that the page knows before they are shown
PICTURE = "picture/"
FLIPPED: dict[Answer, Answer] = {"left": "right", "right": "left", "tie": "tie"}


class RatingSession:
    """A task while its page is served.

    Args:
        rater: who decides; "" for whoever says so on the page.
        done: whether the page was closed.
    """

    def __init__(self, task: RatingTask, store: AnswerStore, rater: str) -> None:
        self.task, self.store, self.rater, self.done = task, store, rater, False
        self.queues: dict[str, RaterQueue] = {}
        self.lock = threading.Lock()  # requests of several tabs take turns
        salt = secrets.token_hex(8)  # names on the page tell nothing of files
        self.items = {token(salt, item.key): place for place, item in enumerate(task.items)}
        self.tokens = list(self.items)
        self.pictures = {token(salt, name): name for name in task.paths}
        self.picture_tokens = {name: short for short, name in self.pictures.items()}

    def render(self, key: str) -> str:
        """The page; what is shown on it is asked for by `receive`."""
        return render_page(self.task, {"served": True, "rater": self.rater}, "'self' data:")

    def receive(self, message: Any) -> dict[str, Any]:
        """Do what the page posts, and say what comes next.

        Args:
            message: {"action": "open", "answer", "skip", "undo" or "close", "rater": name}, with
                "item" and "answer" where it takes them.

        Returns:
            {"rater", "total", "answered", "undo": whether something can be taken back, "items":
            the next ones, "wrong": why something was not done, or ""}.

        Raises:
            ValueError: it is no such message.
        """
        if not isinstance(message, dict):
            raise ValueError("no message of the page")
        if message.get("action") == "close":
            self.done = True
            return {"wrong": ""}
        if not isinstance(message.get("rater"), str):
            raise ValueError("no rater")
        try:
            with self.lock:
                queue = self.queue(rater_name(self.rater or message["rater"]))
                try:
                    fault = self.act(queue, message)
                except StickerforgeError as error:
                    fault = str(error)
                return self.state(queue) | {"wrong": fault}
        except StickerforgeError as error:
            return {"wrong": str(error)}

    def queue(self, rater: str) -> RaterQueue:
        """What a rater has still to decide."""
        if rater not in self.queues:
            answers = self.store.standing(self.task.question, rater)
            self.queues[rater] = RaterQueue(rater, self.task.items, answers)
        return self.queues[rater]

    def act(self, queue: RaterQueue, message: dict[str, Any]) -> str:
        """Do what a message says; returns why it was not done, or "".

        Raises:
            ValueError: it is no message of the page.
            StickerforgeError: it could not be kept.
        """
        action = message.get("action")
        if action == "undo":
            if queue.last is not None:
                self.store.undo([queue.last])
                queue.undo()
            return ""
        if action == "open":
            return ""
        index = self.items.get(str(message.get("item")))
        if action not in ("answer", "skip") or index is None:
            raise ValueError("no message of the page")
        item = self.task.items[index]
        if action == "skip":
            queue.skip(self.store.skip(queue.rater, self.task.question, item.key), index)
            return ""
        answer = self.read_answer(message.get("answer"), swapped=is_swapped(queue.rater, item))
        try:
            rating = self.task.rating(item, answer, queue.rater)
        except OSError:
            return "this has gone: skip it"
        queue.answer(self.store.add(rating), index)
        return ""

    def read_answer(self, value: Any, *, swapped: bool) -> Answer:
        """The answer that the page posted, for the pictures in their own order.

        Raises:
            ValueError: it is none.
        """
        if self.task.question != "pair":
            if not isinstance(value, bool):
                raise ValueError("no answer")
            return value
        if value not in ("left", "right", "tie"):
            raise ValueError("no answer")
        answer: Answer = value
        return FLIPPED[answer] if swapped else answer

    def state(self, queue: RaterQueue) -> dict[str, Any]:
        """What the page shows next."""
        skipped = queue.skipped
        return {
            "rater": queue.rater,
            "total": len(self.task.items),
            "answered": queue.num_answered,
            "undo": queue.last is not None,
            "items": [
                self.describe(queue.rater, index) | {"again": index in skipped}
                for index in queue.upcoming(AHEAD)
            ],
        }

    def describe(self, rater: str, index: int) -> dict[str, Any]:
        """An item as the page gets it: nothing that says where its pictures are from."""
        item = self.task.items[index]
        names = [self.picture_tokens[picture.file_name] for picture in item.pictures]
        shown = names[::-1] if is_swapped(rater, item) else names
        return {"id": self.tokens[index], "text": item.picture.text, "pictures": shown}

    def resource(self, name: str) -> tuple[bytes, str] | None:
        """A picture by its name on the page."""
        file_name = self.pictures.get(name.removeprefix(PICTURE))
        if file_name is None or not name.startswith(PICTURE):
            return None
        try:
            content, digest = shown_picture(self.task.paths[file_name])
        except InputError as error:
            self.task.fail(error.message)
            return None
        self.task.digests[file_name] = digest
        return content, "image/png"


def token(salt: str, key: object) -> str:
    """A name that tells nothing of what it names."""
    text = repr((salt, key)).encode("utf-8", "backslashreplace")
    return hashlib.sha256(text).hexdigest()[:20]


def shown_picture(path: Path) -> tuple[bytes, str]:
    """(a PNG of a picture's pixels alone, sha256 of its file): metadata says who drew it.

    Raises:
        InputError: it cannot be read.
    """
    picture, decoded = load_picture(path)
    image, buffer = Image.fromarray(decoded.rgba), io.BytesIO()
    image.thumbnail((SHOWN_SIDE, SHOWN_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue(), picture.sha256


def render_page(task: RatingTask, more: dict[str, Any], image_sources: str) -> str:
    """The page.

    Args:
        more: what its script is told besides the question and the guideline.
        image_sources: whence its security policy lets it load pictures.
    """
    package = "stickerforge.rating"
    title = task.title.encode("utf-8", "replace").decode()
    script = resources.files(package).joinpath("rating_page.js").read_text(encoding="utf-8")
    data = {"question": task.question, "guideline": task.guideline, "set": task_id(task)} | more
    parts = {
        "title": escape(f"rate {title}"),
        "images": image_sources,
        "script": script,
        "data": script_safe(data),
    }
    return fill_template(package, "rating_page.html", parts)


def task_id(task: RatingTask, digests: Sequence[Sequence[str]] = ()) -> str:
    """What a browser keeps the answers to a task under.

    Args:
        digests: of the pictures of each item, where the answers are kept there alone: pages in
            files share what a browser keeps, and pictures of other sets may have the same names.
    """
    keys = [task.question, str(task.folder), [item.key for item in task.items], list(digests)]
    return hashlib.sha256(json.dumps(keys).encode()).hexdigest()[:16]


def write_page(task: RatingTask, rater: str) -> Path:
    """Write the page to be opened as a file; returns its path.

    It shows the pictures where they lie, keeps answers in the browser, and saves them by a
    download, which `--ratings` takes in.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    digests = [
        [known_digest(task, picture.file_name) for picture in item.pictures] for item in task.items
    ]
    items = [
        {
            "text": item.picture.text,
            "digests": own,
            "names": [picture.file_name for picture in item.pictures],
            "pictures": [file_address(task, picture.file_name) for picture in item.pictures],
        }
        for item, own in zip(task.items, digests, strict=True)
    ]
    path = task.folder / PAGE
    set_id = task_id(task, digests)
    more = {"served": False, "rater": rater, "items": items, "set": set_id}
    write_whole(path, render_page(task, more, "file: data:").encode())
    return path


def file_address(task: RatingTask, file_name: str) -> str:
    """The address of a picture from the page's own folder."""
    path = os.path.relpath(task.paths[file_name].absolute(), task.folder.absolute())
    return quote(os.fsencode(path))
