"""uvicorn's HTTP/1.1 protocol with what a public edge needs besides: caps, deadlines, JSON refusals, hanging up.

The handler finds its connection in the ASGI scope: it can be told that the caller left without a task that
waits for it, and can cut a caller that does not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from servicekit.errors import ErrorReason, InvalidRequest, ServiceError
from services.gateway.edge.problems import encode_body
from services.gateway.edge.request_id import new_request_id
from services.gateway.settings import LimitSettings

CONNECTION: Final = "razvilka.connection"


class EdgeProtocol(HttpToolsProtocol):
    """One connection."""

    limits: ClassVar[LimitSettings] = LimitSettings()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.on_lost: Callable[[], None] | None = None
        self._header_bytes = 0
        self._header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; the headers must come in time."""
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever is answering."""
        self._headers_came()
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()

    def abort(self) -> None:
        """Hang up now, without sending what is still buffered."""
        self.transport.abort()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope[CONNECTION] = self  # type: ignore[typeddict-unknown-key]
        self._header_bytes = 0
        if self._header_timer is None:
            self._expect_headers()

    def on_url(self, url: bytes) -> None:
        """Count the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request over."""
        self._headers_came()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, or too long, with the same body as every other error."""
        status, text = b"400 Bad Request", "The HTTP request is malformed."
        if self._header_bytes > self.limits.header_kb * 1024:
            status = b"431 Request Header Fields Too Large"
            text = f"The request line and headers are larger than {self.limits.header_kb} KB."
        error: ServiceError = InvalidRequest(ErrorReason.INVALID_REQUEST, text, param="headers")
        request_id = new_request_id()
        body = encode_body(error, request_id)
        head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\nx-request-id: %b\r\ncontent-length: %d\r\n"
        self.transport.write(head % (status, request_id.encode(), len(body)) + b"connection: close\r\n\r\n" + body)
        self.transport.close()

    def _count(self, size: int) -> None:
        self._header_bytes += size + 4
        if self._header_bytes > self.limits.header_kb * 1024:
            # httptools turns it into HttpParserError, and that into send_400_response.
            raise ValueError("headers too large")

    def _expect_headers(self) -> None:
        self._header_timer = self.loop.call_later(self.limits.header_s, self._headers_late)

    def _headers_came(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _headers_late(self) -> None:
        self._header_timer = None
        # A connection that is kept alive between requests has uvicorn's own, shorter, timer.
        if self.timeout_keep_alive_task is None and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()


def with_limits(limits: LimitSettings) -> type[EdgeProtocol]:
    """Return the protocol class with these limits: uvicorn makes the instances."""
    return type("LimitedEdgeProtocol", (EdgeProtocol,), {"limits": limits})
