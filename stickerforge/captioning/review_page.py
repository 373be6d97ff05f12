"""The page on which captions are read and changed: as one file, and served to this machine."""

import base64
import io
import threading
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from stickerforge.captioning.caption_set import CaptionSet
from stickerforge.captioning.edits import apply_edits, parse_edits
from stickerforge.data.captions import read_caption
from stickerforge.data.pictures import load_picture
from stickerforge.errors import InputError, StickerforgeError
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import write_whole
from stickerforge.runtime.signals import interruptible, stoppable
from stickerforge.web.local_server import PageServer
from stickerforge.web.template import fill_template, script_safe

PAGE = "captions.html"
THUMBNAIL = 320  # longer side in pixels


class Review:
    """The page of a folder's captions while it is served.

    Args:
        images: data URLs by the pictures' names.
        done: whether the page was closed, and nothing was refused then.
    """

    def __init__(self, captions: CaptionSet, images: Mapping[str, str]) -> None:
        self.captions, self.images, self.done = captions, images, False
        self.lock = threading.Lock()  # requests of two tabs take turns

    def render(self, key: str) -> str:
        """The page with the captions as they are now; see `render_page`."""
        return render_page(self.captions, self.images, key)

    def receive(self, message: Any) -> dict[str, Any]:
        """Apply what the page posts: {"rows": edits, "done": whether the page is closed}.

        Returns:
            {"refused": a line for each edit that was, "wrong": why nothing could be written or ""}.

        Raises:
            ValueError: it is no such message.
        """
        if not isinstance(message, dict):
            raise ValueError("no message of the page")
        edits, refusals, fault = parse_edits(message.get("rows")), list[str](), ""
        try:
            with self.lock:
                refusals = apply_edits(self.captions, edits)
        except StickerforgeError as error:
            fault = str(error)
        if message.get("done") and not refusals and not fault:
            self.done = True  # never back to False: another save may end later
        return {"refused": refusals, "wrong": fault}


def render_page(captions: CaptionSet, images: Mapping[str, str], key: str = "") -> str:
    """The page.

    Args:
        images: data URLs by the pictures' names.
        key: under which the page is served; "" for a page that is opened as a file, which saves by
            a download.
    """
    rows = [
        {
            "picture": record.picture,
            "caption": record.caption,
            "was": read_caption(captions.folder / record.picture),
            "source": record.source,
            "image": images[record.picture],
        }
        for record in captions.records
    ]
    name = captions.folder.resolve().name.encode("utf-8", "replace").decode()
    data = {"rows": rows, "placeholder": captions.subject.placeholder, "key": key}
    return fill_template(
        "stickerforge.captioning",
        "review_page.html",
        {"title": escape(f"{name}: {len(rows)} captions"), "data": script_safe(data)},
    )


def thumbnails(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Pictures of a folder as small data URLs, by their names; "" for what cannot be read."""
    images = {}
    for name in names:
        try:
            image = Image.fromarray(load_picture(folder / name)[1].rgba)
        except InputError:  # its caption can be changed all the same
            images[name] = ""
            continue
        image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS, reducing_gap=3.0)
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=80)
        images[name] = "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
    return images


def write_page(captions: CaptionSet, console: Console) -> None:
    """Write the page to be opened as a file: no socket is opened, not even for this machine.

    Raises:
        Interrupted: Ctrl-C.
        EnvironmentFault: the disk is full or read-only.
    """
    path = captions.folder / PAGE
    with interruptible():
        images = thumbnails(captions.folder, [record.picture for record in captions.records])
        write_whole(path, render_page(captions, images).encode())
    console.say(f"--offline serves no page: open {path}, and give what it saves to --take")


def review(captions: CaptionSet, console: Console) -> None:
    """Write the page, serve it, and wait until it is closed or interrupted; what was saved stays.

    Raises:
        Interrupted: Ctrl-C.
        EnvironmentFault: the disk is full or read-only.
    """
    path = captions.folder / PAGE
    with interruptible():
        images = thumbnails(captions.folder, [record.picture for record in captions.records])
        for name in (name for name, image in images.items() if not image):
            console.warn(f"{name} cannot be read any more; its caption is on the page without it")
        write_whole(path, render_page(captions, images).encode())
        session = Review(captions, images)
        with PageServer(session.render, session.receive) as server, stoppable() as check:
            console.say(
                f'read and change the captions at {server.url} until you press "Save and close"'
            )
            console.say(f"or open {path} later, and give what it saves to --take")
            while not session.done:
                server.handle_request()
                check()
