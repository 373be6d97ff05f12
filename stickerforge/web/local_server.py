"""A page served to this machine's browser alone."""

import json
import secrets
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MAX_BODY = 20_000_000  # bytes that a page may post


class PageServer(ThreadingHTTPServer):
    """Serves one page on 127.0.0.1 to whoever knows its key, and takes JSON from it.

    `handle_request` waits a fifth of a second for a request, so that a loop of it hears Ctrl-C;
    every request is answered in a thread of its own.

    Args:
        render: makes the page's HTML, given the key under which it is served.
        receive: takes what the page posts, as parsed JSON, and returns what is answered, likewise;
            raises ValueError where a page cannot have posted that. Called by several threads.
    """

    daemon_threads = False  # a request that has begun is finished, also after Ctrl-C

    def __init__(self, render: Callable[[str], str], receive: Callable[[Any], Any]) -> None:
        super().__init__(("127.0.0.1", 0), PageHandler)
        self.render, self.receive = render, receive
        self.key = secrets.token_urlsafe(16)
        self.timeout = 0.2

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_address[1]}/{self.key}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle is no error."""


class PageHandler(BaseHTTPRequestHandler):
    """Answers the page's requests."""

    server: PageServer
    timeout = 10  # seconds that a browser may leave a connection open without a word

    def do_GET(self) -> None:  # noqa: N802 - the base class names it
        """The page."""
        if self.path != f"/{self.server.key}":
            self.send_error(404)
            return
        self.respond(self.server.render(self.server.key), "text/html; charset=utf-8")

    def do_POST(self) -> None:  # noqa: N802
        """Hand posted JSON on, and answer with what comes back."""
        length = self.headers.get("Content-Length", "")
        if (
            self.path != f"/{self.server.key}"
            or not length.isdecimal()
            or not 0 < int(length) <= MAX_BODY
        ):
            self.send_error(404)
            return
        try:
            answer = self.server.receive(json.loads(self.rfile.read(int(length))))
        except ValueError:
            self.send_error(400)
            return
        self.respond(json.dumps(answer), "application/json")

    def respond(self, text: str, content_type: str) -> None:
        """Send a text."""
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""
