"""The demo application's own address: waits for the browser that comes back with a code."""

import http.server
from typing import Final
from urllib.parse import urlsplit

THANKS: Final = b"<!DOCTYPE html><title>Done</title><p>Done: go back to the terminal.</p>"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Take the redirect."""
        assert isinstance(self.server, CallbackServer)
        if urlsplit(self.path).path == self.server.path:
            self.server.redirected = self.path
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(THANKS)))
        self.end_headers()
        self.wfile.write(THANKS)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: the address has the code in it."""


class CallbackServer(http.server.HTTPServer):
    """Listens on a loopback redirect URI."""

    def __init__(self, redirect_uri: str) -> None:
        parts = urlsplit(redirect_uri)
        self.path = parts.path
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.redirected = ""
        super().__init__((parts.hostname or "", parts.port or 80), _Handler)

    def wait(self) -> str:
        """Return the address the browser came back with."""
        while not self.redirected:
            self.handle_request()
        return self.origin + self.redirected
