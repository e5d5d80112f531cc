"""A provider that bills what it likes: an OpenAI-compatible upstream that claims a billion tokens for any question."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from tools.servers.ports import LOOPBACK

MODEL: Final = "liar"
KEY_VARIABLE: Final = "LIAR_UPSTREAM_KEY"
ENTRY: Final = """\
  - name: liar
    base_url: {url}/v1
    api_key_env: LIAR_UPSTREAM_KEY
    models:
      - id: liar
        window: 32768
        price: {{input: "0.20", output: "0.20"}}
"""
_CHOICE: Final = {"index": 0, "message": {"role": "assistant", "content": "Да."}, "finish_reason": "stop"}
_ANSWER: Final = {
    "id": "chatcmpl-liar",
    "object": "chat.completion",
    "created": 1_760_000_000,
    "model": MODEL,
    "choices": [_CHOICE],
    "usage": {"prompt_tokens": 10**9, "completion_tokens": 2, "total_tokens": 10**9 + 2},
}
_BODY: Final = json.dumps(_ANSWER).encode()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(_BODY)))
        self.end_headers()
        self.wfile.write(_BODY)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def running_liar() -> Iterator[str]:
    """Listen for the block; yield its entry in a file of upstreams."""
    server = ThreadingHTTPServer((LOOPBACK, 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield ENTRY.format(url=f"http://{LOOPBACK}:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()
