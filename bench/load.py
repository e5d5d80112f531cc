"""Closed- and open-loop load over raw keep-alive connections (uvloop + httptools: ~15 µs a request).

The open loop counts latency from when a request was *due*, not from when it could be sent, so a stalled
server cannot hide its stall (coordinated omission).
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final, cast
from urllib.parse import urlsplit

import httptools

# What an event of `bench-model-30ms` says: when it was written, in nanoseconds.
STAMP: Final = re.compile(rb'"content":"(\d{20}) ')


@dataclass(slots=True)
class Result:
    """What one run saw; times in seconds."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    first_bytes: list[float] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    errors: int = 0
    unfinished: int = 0

    @property
    def done(self) -> int:
        """Requests answered 200."""
        return len(self.latencies)

    def percentile(self, share: float, *, first_byte: bool = False) -> float:
        """Return the latency below which `share` of the answers lie, in milliseconds."""
        return _percentile(self.first_bytes if first_byte else self.latencies, share)

    def delay(self, share: float) -> float:
        """Return what `share` of the events took at most from the upstream's write to here, in milliseconds."""
        return _percentile(self.delays, share)


def _percentile(times: list[float], share: float) -> float:
    values = sorted(times)
    return values[min(len(values) - 1, int(share * len(values)))] * 1000 if values else float("nan")


class Connection(asyncio.Protocol):
    """One keep-alive connection; one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._done: asyncio.Future[bool] | None = None
        self.first_byte_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        # uvloop's transports are no subclass of asyncio.Transport.
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Note when the first byte of the body came, and whether a stream reported an error."""
        if not self.first_byte_at:
            self.first_byte_at = time.perf_counter()
        if body.startswith(b"event: error"):
            self._failed = True

    def on_message_complete(self) -> None:
        """Finish the request."""
        if self._done is not None and not self._done.done():
            self._done.set_result(self._parser.get_status_code() == 200 and not self._failed)
        self._parser = httptools.HttpResponseParser(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the request under way."""
        self._transport = None
        if self._done is not None and not self._done.done():
            self._done.set_result(False)

    def take_delays(self) -> list[float]:
        """Return what has been seen of events that say when they were written, in seconds."""
        return []

    @property
    def is_open(self) -> bool:
        """Say whether the server has not closed it."""
        return self._transport is not None and not self._transport.is_closing()

    async def request(self, data: bytes) -> bool:
        """Send one request; return whether it was answered 200 to its end."""
        if self._transport is None:
            return False
        self.first_byte_at = 0.0
        self._failed = False
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return await self._done

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()


class TimedConnection(Connection):
    """One that reads in every event when the upstream wrote it."""

    def __init__(self) -> None:
        super().__init__()
        self._delays: list[float] = []

    def on_body(self, body: bytes) -> None:
        """Note how long each event of it was under way."""
        super().on_body(body)
        now = time.perf_counter_ns()
        self._delays.extend((now - int(stamp)) / 1e9 for stamp in STAMP.findall(body))

    def take_delays(self) -> list[float]:
        """Return what has been seen since the last time."""
        delays, self._delays = self._delays, []
        return delays


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send which request."""

    url: str
    key: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "127.0.0.1", parts.port or 80

    def encoded(self) -> bytes:
        """Return the request's bytes."""
        parts = urlsplit(self.url)
        more = "".join(f"{name}: {value}\r\n" for name, value in self.headers)
        head = (
            f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\nauthorization: Bearer {self.key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(self.body)}\r\n{more}\r\n"
        )
        return head.encode() + self.body


async def connect(target: Target, kind: type[Connection] = Connection) -> Connection:
    """Return a connection to where the target is."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(kind, *target.address)
    return connection


async def closed_loop(
    target: Target,
    *,
    connections: int,
    seconds: float,
    ramp_s: float = 0.0,
    kind: type[Connection] = Connection,
) -> Result:
    """Keep `connections` requests in flight for `seconds`; they begin one after the other within `ramp_s`."""
    data = target.encoded()
    result = Result(seconds)
    started = time.perf_counter()
    end = started + seconds

    async def worker(wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        connection = await connect(target, kind)
        while (sent := time.perf_counter()) < end:
            if await connection.request(data):
                result.latencies.append(time.perf_counter() - sent)
                result.first_bytes.append(connection.first_byte_at - sent)
            else:
                result.errors += 1
                connection.close()
                connection = await connect(target, kind)
            result.delays += connection.take_delays()
        connection.close()

    async with asyncio.TaskGroup() as tasks:
        for number in range(connections):
            tasks.create_task(worker(ramp_s * number / connections))
    result.seconds = time.perf_counter() - started
    return result


async def open_loop(target: Target, *, rate: float, seconds: float, drain_s: float = 30.0) -> Result:
    """Send `rate` requests a second for `seconds`, whether or not earlier ones have been answered."""
    data = target.encoded()
    result = Result(seconds)
    idle: deque[Connection] = deque([await connect(target) for _ in range(16)])
    started = time.perf_counter() + 0.05

    async def one(due: float) -> None:
        while idle and not idle[-1].is_open:
            idle.pop()
        connection = idle.pop() if idle else await connect(target)
        try:
            answered = await connection.request(data)
        except asyncio.CancelledError:
            # Who left does not hold the server, or the next measurement would pay for this one.
            connection.close()
            raise
        if answered:
            result.latencies.append(time.perf_counter() - due)
            result.first_bytes.append(connection.first_byte_at - due)
            idle.append(connection)
        else:
            result.errors += 1
            connection.close()

    pending: set[asyncio.Task[None]] = set()
    for number in range(int(rate * seconds)):
        due = started + number / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(one(due))
        pending.add(task)
        task.add_done_callback(pending.discard)
    if pending:
        _, late = await asyncio.wait(set(pending), timeout=drain_s)
        result.unfinished = len(late)
        for task in late:
            task.cancel()
    for connection in idle:
        connection.close()
    return result
