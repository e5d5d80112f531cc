"""A server that answers what it is told to, for what no sound gateway would do."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; a body that is no text is sent as JSON."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scripted:
    """The server's address, and the forms that it was sent, by path."""

    url: str
    forms: list[tuple[str, dict[str, list[str]]]]


Answer = Callable[[str, str], Reply]


@contextlib.contextmanager
def scripted_server(answer: Callable[[str], Answer]) -> Iterator[Scripted]:
    """Serve `answer(own address)(method, path)` while the block runs."""
    forms: list[tuple[str, dict[str, list[str]]]] = []

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            forms.append((self.path, parse_qs(body)))
            reply = answers(self.command, self.path)
            text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
            self.send_response(reply.status)
            for name, value in {"content-length": str(len(text.encode())), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = _serve

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_port}"
    answers = answer(url)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    try:
        yield Scripted(url, forms)
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
