"""A minimal OpenAI-compatible upstream: fixed answers, almost no CPU, so that what is measured is the suite.

`python -m bench.upstream PORT` serves `POST /v1/chat/completions`. A body with `"stream":true` is answered with
20 chunks, usage and `[DONE]`, one write each, `BENCH_CHUNK_GAP_MS` apart (default 2), or 30 for `bench-model-30ms`,
whose chunks say when each was written: nanoseconds of the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Final, cast

import httptools
import uvloop

CHUNKS: Final = 20
_USAGE: Final = b'"usage":{"prompt_tokens":120,"completion_tokens":20,"total_tokens":140}'
_HEAD: Final = b'{"id":"chatcmpl-bench","object":"chat.completion'
ANSWER: Final = (
    _HEAD
    + b'","created":1760000000,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":"'
    + "Ответ из двадцати слов. ".encode() * 5
    + b'"},"finish_reason":"stop"}],'
    + _USAGE
    + b"}"
)
_PLAIN: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER) + ANSWER
)
_STREAM_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _event(body: bytes) -> bytes:
    return b"data: " + body + b"\n\n"


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _chunk(delta: bytes, finish: bytes = b"null") -> bytes:
    return _event(
        _HEAD
        + b'.chunk","created":1760000000,"model":"bench","choices":[{"index":0,"delta":'
        + delta
        + b',"finish_reason":'
        + finish
        + b"}]}"
    )


EVENTS: Final = [
    *(_chunk('{"role":"assistant","content":"слово "}'.encode()) for _ in range(1)),
    *(_chunk('{"content":"слово "}'.encode()) for _ in range(CHUNKS - 1)),
    _chunk(b"{}", b'"stop"'),
    _event(_HEAD + b'.chunk","created":1760000000,"model":"bench","choices":[],' + _USAGE + b"}"),
    _event(b"[DONE]"),
]
_WRITES: Final = [*(_framed(event) for event in EVENTS[:-1]), _framed(EVENTS[-1]) + b"0\r\n\r\n"]
# Twenty digits, so that every event has the length that its head says.
_STAMPED: Final = _framed(_chunk(b'{"content":"' + b"0" * 20 + b' "}')).replace(b"0" * 20, b"%020d")


class Upstream(asyncio.Protocol):
    """One connection; requests are answered in order."""

    usual_gap_s = float(os.environ.get("BENCH_CHUNK_GAP_MS", "2")) / 1000

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        # uvloop's transports are no subclass of asyncio.Transport.
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Collect the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Answer."""
        body, self._body = self._body, b""
        if b'"stream":true' in body or b'"stream": true' in body:
            self._stamps = b'"bench-model-30ms"' in body
            self._gap_s = 0.030 if self._stamps else self.usual_gap_s
            self._transport.write(_STREAM_HEAD)
            self._send(0)
        else:
            self._transport.write(_PLAIN)

    def _send(self, index: int) -> None:
        if self._transport.is_closing():
            return
        is_stamped = self._stamps and 0 < index < CHUNKS
        self._transport.write(_STAMPED % time.perf_counter_ns() if is_stamped else _WRITES[index])
        if index + 1 < len(_WRITES):
            asyncio.get_running_loop().call_later(self._gap_s, self._send, index + 1)


async def serve(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
