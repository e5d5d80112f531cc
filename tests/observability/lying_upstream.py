"""A provider that bills what it likes, as an OpenAI-compatible upstream.

One of its models claims a billion tokens for any question, the other heeds `max_tokens` only when it is told to.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from tools.servers.ports import LOOPBACK

PROVIDER: Final = "liar"
CLAIMING: Final = "liar"
CHATTY: Final = "chatterbox"
KEY_VARIABLE: Final = "LIAR_UPSTREAM_KEY"
ENTRY: Final = """\
  - name: liar
    base_url: {url}/v1
    api_key_env: LIAR_UPSTREAM_KEY
    models:
      - id: liar
        window: 32768
        price: {{input: "0.20", output: "0.20"}}
      - id: chatterbox
        window: 32768
        price: {{input: "0.20", output: "0.20"}}
"""
WORD: Final = "слово "
WORDS: Final = 300


class Liar:
    """The upstream: `entry` is its place in a file of upstreams."""

    def __init__(self) -> None:
        self.entry = ""
        self.heeds_max_tokens = True

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return what is said to a request."""
        if asked["model"] == CLAIMING:
            return _completion(CLAIMING, "Да.", tokens_input=10**9, tokens_output=2)
        said = min(WORDS, int(asked.get("max_tokens") or WORDS)) if self.heeds_max_tokens else WORDS
        return _completion(CHATTY, WORD * said, tokens_input=10, tokens_output=said)


def _completion(model: str, text: str, *, tokens_input: int, tokens_output: int) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {
        "prompt_tokens": tokens_input,
        "completion_tokens": tokens_output,
        "total_tokens": tokens_input + tokens_output,
    }
    made = {"id": "chatcmpl-liar", "object": "chat.completion", "created": 1_760_000_000}
    return {**made, "model": model, "choices": [choice], "usage": usage}


@contextmanager
def running_liar() -> Iterator[Liar]:
    """Listen for the block."""
    liar = Liar()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body = json.dumps(liar.answer(asked)).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    liar.entry = ENTRY.format(url=f"http://{LOOPBACK}:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield liar
    finally:
        server.shutdown()
        server.server_close()
