"""The page on which captions are read and changed: one file, and the same page served to this machine's browser alone."""

import base64
import io
import json
import secrets
from collections.abc import Mapping
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

from stickerforge.commands.captioned import Captioned
from stickerforge.commands.correcting import changes, corrected
from stickerforge.data.captions import sidecar
from stickerforge.data.pictures import opened
from stickerforge.errors import StickerforgeError
from stickerforge.evaluation.template import filled, script_safe
from stickerforge.runtime.files import write_whole
from stickerforge.runtime.messages import Messages
from stickerforge.runtime.signals import interruptible, stoppable

PAGE = "captions.html"
THUMBNAIL = 320  # longer side in pixels
MAX_BODY = 20_000_000


def page_of(made: Captioned, key: str = "", images: Mapping[str, str] | None = None) -> str:
    """The page.

    Args:
        key: what a served page sends its changes to; "" for a page that is opened as a file, which saves by a download.
        images: data URLs by the pictures' names, where they are there already.
    """
    shown = thumbnails(made) if images is None else images
    rows = [
        {
            "picture": one.picture,
            "caption": one.caption,
            "was": sidecar(made.folder / one.picture),
            "source": one.source,
            "image": shown[one.picture],
        }
        for one in made.told
    ]
    name = made.folder.resolve().name.encode("utf-8", "replace").decode()
    data = script_safe({"rows": rows, "placeholder": made.placeholder, "key": key})
    return filled("stickerforge.commands", "captions.html", {"title": escape(f"{name}: {len(rows)} captions"), "data": data})


def thumbnails(made: Captioned) -> dict[str, str]:
    """Every picture as a small data URL."""
    found = {}
    for one in made.told:
        image = Image.fromarray(opened(made.folder / one.picture)[1])
        image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS, reducing_gap=3.0)
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=80)
        found[one.picture] = "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
    return found


class Server(ThreadingHTTPServer):
    """Serves one page on this machine, to whoever knows its key, and takes changes back."""

    daemon_threads = False  # a save that has begun is finished, also after Ctrl-C

    def __init__(self, made: Captioned, images: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.made, self.images, self.key, self.done = made, images, secrets.token_urlsafe(16), False
        self.timeout = 0.2  # how long one look for a request waits, so that Ctrl-C is heard

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_address[1]}/{self.key}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle is no error."""


class Handler(BaseHTTPRequestHandler):
    """Answers the page's requests."""

    server: Server
    timeout = 10  # seconds that a browser may leave a connection open without a word

    def do_GET(self) -> None:  # noqa: N802 - the base class names it
        """The page."""
        if self.path != f"/{self.server.key}":
            self.send_error(404)
            return
        self.answer(page_of(self.server.made, self.server.key, self.server.images).encode(), "text/html; charset=utf-8")

    def do_POST(self) -> None:  # noqa: N802
        """Changes to be taken, {"rows": [...], "done": whether the page is closed}; answers what was refused, and what is wrong."""
        length = self.headers.get("Content-Length", "")
        if self.path != f"/{self.server.key}" or not length.isdecimal() or not 0 < int(length) <= MAX_BODY:
            self.send_error(404)
            return
        try:
            said = json.loads(self.rfile.read(int(length)))
            rows, done = changes(said["rows"]), bool(said.get("done"))
        except (ValueError, KeyError, TypeError, AttributeError):
            self.send_error(400)
            return
        try:
            refused, wrong = corrected(self.server.made, rows), ""
        except StickerforgeError as error:
            refused, wrong = [], str(error)
        if done and not refused and not wrong:
            self.server.done = True  # never back to False: another save may end later
        self.answer(json.dumps({"refused": refused, "wrong": wrong}).encode(), "application/json")

    def answer(self, body: bytes, kind: str) -> None:
        """Send it."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


def reviewed(made: Captioned, messages: Messages) -> None:
    """Write the page, serve it, and wait until it is done with or interrupted; what was saved stays.

    Raises:
        Interrupted: Ctrl-C.
        EnvironmentFault: the disk is full or read-only.
    """
    path = made.folder / PAGE
    with interruptible():
        images = thumbnails(made)
        write_whole(path, page_of(made, images=images).encode())
        with Server(made, images) as server, stoppable() as check:
            messages.say(f'read and change the captions at {server.url} until you press "Save and close"')
            messages.say(f"or open {path} later, and give what it saves to --take")
            while not server.done:
                server.handle_request()
                check()
