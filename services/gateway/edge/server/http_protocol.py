"""uvicorn's HTTP/1.1 protocol with what a public edge needs besides: caps, deadlines, JSON refusals, hanging up.

The handler finds its connection in the ASGI scope: it can be told that the caller left without a task that
waits for it, and can cut a caller that does not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, Final
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from services.gateway.edge.middleware import refused
from services.gateway.edge.reading.body import IS_WHOLE
from services.gateway.edge.request_context import KEY, TOLD, RequestContext, Told
from services.gateway.edge.request_id import new_request_id
from services.gateway.edge.server.answering import REFUSED_AS, Answering, refusal
from services.gateway.edge.server.connection_count import ConnectionCount
from services.gateway.edge.server.lingering import LingeringTransport
from services.gateway.edge.server.request_head import MALFORMED, Fault, fault_of, without_upgrade
from services.gateway.settings import LimitSettings

CONNECTION: Final = "razvilka.connection"
# The rest of a refused body may still come on a connection that stays, within so many seconds.
REST_S: Final = 5.0
# Requests sent ahead of their answers.
PIPELINED: Final = 64
# What a chunk may cost beside its bytes (as in Go's net/http): 16 bytes, and twice as much as it carries.
_PER_CHUNK: Final = 16
_EXCESS: Final = 16 * 1024
_CROWDED: Final = Fault(429, "There are too many connections already.")
CODE: Final = REFUSED_AS.value.lower()
_LATE: Final = Fault(408, "The request came too slowly.")


class EdgeProtocol(HttpToolsProtocol):
    """One connection."""

    limits: ClassVar[LimitSettings] = LimitSettings()
    count: ClassVar[ConnectionCount] = ConnectionCount(LimitSettings())
    unread_s: ClassVar[float] = Answering.unread_s
    transport: LingeringTransport

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.on_lost: Callable[[], None] | None = None
        self.is_lost = False
        self._header_bytes = 0
        self._header_timer: asyncio.TimerHandle | None = None
        self._rest_timer: asyncio.TimerHandle | None = None
        # Bytes that carried nothing since the last head: empty lines, chunk extensions, blanks.
        self._excess = 0
        self._has_head = self._in_head = False
        # The message being read has not ended; nothing that comes can be understood any more.
        self._is_open = False
        self._fault: Fault | None = None
        self._counted = ""
        # What is answered now; of requests that were sent ahead, `cycle` is the last.
        self._answered: Answering | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, unless there are too many; the headers must come in time."""
        super().connection_made(LingeringTransport(transport, self._is_unread, self.unread_s))
        address = self.client[0] if self.client else ""
        if self.count.take(address):
            self._counted = address or "unknown"
            self._expect_headers()
        else:
            self._refuse(_CROWDED)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever is answering."""
        self._headers_came()
        self._rest_came()
        self.transport.lost()
        if self._counted:
            self.count.give_back(self.client[0] if self.client else "")
            self._counted = ""
        if self._answered is not None and not self._answered.response_complete:
            self._answered.disconnected = True
            self._answered.message_event.set()
        super().connection_lost(exc)
        self.is_lost = True
        if self.on_lost is not None:
            self.on_lost()

    def abort(self) -> None:
        """Hang up now, without sending what is still buffered."""
        self.transport.abort()

    def _is_unread(self) -> bool:
        # Who was never let in is not waited for.
        return bool(self._counted) and (self._is_open or self._fault is not None)

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Read; once the connection cannot go on, only throw away."""
        if self.transport.lingers:
            self.transport.discard(len(data))
            return
        if self._fault is not None:
            return
        self._unset_keepalive_if_required()
        self._excess += len(data)
        try:
            self._feed(data)
            self._check_excess()
        except (httptools.HttpParserError, ValueError):
            self.send_400_response("")
        # Most heads are whole as soon as anything of them is here.
        if self._header_timer is None and (self._in_head or (self._is_idle and not self._is_open)):
            self._expect_headers()

    def _feed(self, data: bytes) -> None:
        rest: bytes | memoryview = data
        while True:
            try:
                self.parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as paused:
                rest = memoryview(rest)[paused.args[0] :]
                head = without_upgrade(self.parser.get_method(), self.url, self.parser.get_http_version(), self.headers)
                self.parser = httptools.HttpRequestParser(self)
                self.parser.feed_data(head)

    def _check_excess(self) -> None:
        if self._excess < 0:
            self._excess = 0
        elif self._excess > self.limits.header_kb * 1024 + _EXCESS:
            raise ValueError("too many bytes that carry nothing")

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope[CONNECTION] = self  # type: ignore[typeddict-unknown-key]
        self._header_bytes = 0
        self._has_head, self._in_head = False, True

    def on_url(self, url: bytes) -> None:
        """Count the request line."""
        self._count(len(url))
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header. What comes after the body is no header (RFC 9110 6.5.1): the request was judged without."""
        self._count(len(name) + len(value))
        if self._has_head:
            return
        name = name.lower()
        self.headers.append((name, value))
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True

    def on_headers_complete(self) -> None:
        """Hand the request over, unless its head says what no head may say."""
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if self.parser.should_upgrade() and method != b"CONNECT":
            return  # `_feed` reads it again
        self._headers_came()
        self._has_head, self._in_head = True, False
        fault = fault_of(method, self.url, version, self.headers)
        if fault or len(self.pipeline) >= PIPELINED:
            self._fault = fault or MALFORMED
            raise ValueError(self._fault.text)
        self._excess = 0
        self._is_open = True
        target = httptools.parse_url(self.url)
        path = target.path.decode("ascii")
        self.scope["method"], self.scope["http_version"] = method.decode("ascii"), version
        self.scope["path"], self.scope["raw_path"] = unquote(path) if "%" in path else path, target.path
        self.scope["query_string"] = target.query or b""
        is_first = self._is_idle
        self.cycle = Answering.on(self, version, self.unread_s)
        if is_first:
            self._answered = self.cycle
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_chunk_header(self) -> None:
        """Allow a chunk what every chunk needs."""
        self._excess -= _PER_CHUNK

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._excess -= 3 * len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        if self.parser.should_upgrade():
            return
        self._is_open = False
        self.scope[IS_WHOLE] = True  # type: ignore[typeddict-unknown-key]
        self._rest_came()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request; what is left of this one must come soon."""
        self._answered = self.pipeline[-1][0] if self.pipeline else None  # type: ignore[assignment]
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self._fault is not None and not self.pipeline and self._is_idle:
            if self._is_open:
                self.transport.close()
            else:
                self._refuse(self._fault)
        elif self._is_open and self._is_idle:
            self._rest_timer = self.loop.call_later(REST_S, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, or too long, with the same body as every other error, and in its turn."""
        if self._fault is None:
            self._fault = MALFORMED
            if max(self._header_bytes, self._excess * self._in_head) > self.limits.header_kb * 1024:
                text = f"The request line and headers are larger than {self.limits.header_kb} KB."
                self._fault = Fault(431, text)
        if self._is_idle:
            self._refuse(self._fault)
        elif self._is_open and not self.pipeline:
            self._break_off(self._fault)
        # Else requests before it are being answered: `on_response_complete` says the rest.

    def _break_off(self, fault: Fault) -> None:
        """End the request whose body turned out to be none."""
        if self.cycle.response_started:
            self.cycle.keep_alive = False
            return
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        scope: dict[str, Any] = self.cycle.scope  # type: ignore[assignment]  # it has keys of ours
        context: RequestContext | None = scope.get(KEY)
        told = scope[TOLD] = Told(context.request_id if context else new_request_id(), fault.status, CODE)
        self._tell(fault, told.request_id)

    def _refuse(self, fault: Fault) -> None:
        """Refuse what is no request yet: nobody else counts it and writes its line."""
        request_id = new_request_id()
        self._tell(fault, request_id)
        refused(request_id, fault.status, CODE, fault.text)

    def _tell(self, fault: Fault, request_id: str) -> None:
        self._fault = fault
        self.transport.write(refusal(fault.status, fault.text, request_id))
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

    def _rest_came(self) -> None:
        if self._rest_timer is not None:
            self._rest_timer.cancel()
            self._rest_timer = None

    def _headers_late(self) -> None:
        self._header_timer = None
        # A connection that is kept alive between requests has uvicorn's own, shorter, timer.
        if self.timeout_keep_alive_task is not None or not self._is_idle or self.transport.is_closing():
            return
        if self._header_bytes or self._excess:
            self._refuse(_LATE)
        else:
            self.transport.close()


def with_limits(limits: LimitSettings, count: ConnectionCount, unread_s: float) -> type[EdgeProtocol]:
    """Return the protocol class with these limits: uvicorn makes the instances."""
    return type("LimitedEdgeProtocol", (EdgeProtocol,), {"limits": limits, "count": count, "unread_s": unread_s})
