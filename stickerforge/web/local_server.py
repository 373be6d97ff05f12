"""A page served to this machine's browser alone."""

import json
import secrets
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from stickerforge.captioning.caption_set import CaptionSet
from stickerforge.errors import StickerforgeError

MAX_BODY = 20_000_000


class Server(ThreadingHTTPServer):
    """Serves one page on this machine, to whoever knows its key, and takes changes back."""

    daemon_threads = False  # a save that has begun is finished, also after Ctrl-C

    def __init__(self, made: CaptionSet, images: Mapping[str, str]) -> None:
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
        from stickerforge.captioning.review_page import render_page

        self.answer(
            render_page(self.server.made, self.server.key, self.server.images).encode(),
            "text/html; charset=utf-8",
        )

    def do_POST(self) -> None:  # noqa: N802
        """Changes to be taken, {"rows": [...], "done": whether the page is closed}; answers what was refused, and what is wrong."""
        from stickerforge.captioning.edits import apply_edits, parse_edits

        length = self.headers.get("Content-Length", "")
        if (
            self.path != f"/{self.server.key}"
            or not length.isdecimal()
            or not 0 < int(length) <= MAX_BODY
        ):
            self.send_error(404)
            return
        try:
            said = json.loads(self.rfile.read(int(length)))
            rows, done = parse_edits(said["rows"]), bool(said.get("done"))
        except (ValueError, KeyError, TypeError, AttributeError):
            self.send_error(400)
            return
        try:
            refused, wrong = apply_edits(self.server.made, rows), ""
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
