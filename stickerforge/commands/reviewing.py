"""The page on which captions are read and changed: one file, and the same page served to this machine's browser alone."""

import base64
import io
import json
import secrets
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any

from PIL import Image

from stickerforge.commands.caption import Captioned
from stickerforge.data.pictures import read_picture
from stickerforge.runtime.files import write_whole
from stickerforge.runtime.messages import Messages
from stickerforge.runtime.signals import stoppable

PAGE = "captions.html"
THUMBNAIL = 320  # longer side in pixels
MAX_BODY = 20_000_000


def page_of(made: Captioned, key: str = "") -> str:
    """The page.

    Args:
        key: what a served page must send back with every request; "" for a page that is opened as a file, which saves by a download.
    """
    template = resources.files("stickerforge.commands").joinpath("captions.html").read_text(encoding="utf-8")
    rows = [
        {"picture": one.picture, "caption": one.caption, "source": one.source, "image": thumbnail(made, one.picture)} for one in made.told
    ]
    data = json.dumps({"rows": rows, "placeholder": made.placeholder, "key": key}, ensure_ascii=True)
    parts = {
        "title": escape(f"{made.folder.resolve().name}: {len(rows)} captions"),
        "data": data.replace("<", "\\u003c").replace("&", "\\u0026"),
    }
    for name, text in parts.items():
        template = template.replace(f"<!--{name}-->", text)
    return template


def thumbnail(made: Captioned, name: str) -> str:
    """A picture as a data URL."""
    image = Image.fromarray(read_picture(made.folder / name).rgba())
    image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS, reducing_gap=3.0)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


class Server(ThreadingHTTPServer):
    """Serves one page on this machine, to whoever knows its key, and takes captions back."""

    daemon_threads = True

    def __init__(self, made: Captioned) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.made, self.key, self.done = made, secrets.token_urlsafe(16), False
        self.timeout = 0.2  # how long one look for a request waits, so that Ctrl-C is heard

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_address[1]}/{self.key}"


class Handler(BaseHTTPRequestHandler):
    """Answers the page's requests."""

    server: Server

    def do_GET(self) -> None:  # noqa: N802 - the base class names it
        """The page."""
        if self.path != f"/{self.server.key}":
            self.send_error(404)
            return
        self.answer(page_of(self.server.made, self.server.key).encode(), "text/html; charset=utf-8")

    def do_POST(self) -> None:  # noqa: N802
        """Captions to be saved, {"captions": {picture: caption}, "done": whether the page is closed}."""
        length = int(self.headers.get("Content-Length") or 0)
        if self.path != f"/{self.server.key}" or not 0 < length <= MAX_BODY:
            self.send_error(404)
            return
        try:
            said = json.loads(self.rfile.read(length))
            texts = {str(name): str(text) for name, text in dict(said["captions"]).items()}
        except (ValueError, KeyError, TypeError):
            self.send_error(400)
            return
        refused = self.server.made.changed(texts)
        self.answer(json.dumps({"refused": refused}).encode(), "application/json")
        self.server.done = bool(said.get("done")) and not refused

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
    write_whole(path, page_of(made).encode())
    with Server(made) as server, stoppable() as check:
        messages.say(f"read and change the captions at {server.url} (or open {path}, and give what it saves to --take); Ctrl-C ends it")
        while not server.done:
            server.handle_request()
            check()
