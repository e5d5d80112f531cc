"""Runs scripts on one Redis connection; calls that pile up while one round trip is under way share the next.

redis-py's pool, retry and telemetry cost 50 us of CPU a call; packing the command by hand and reading the answers of
a whole batch under one timeout costs a fifth of that, and at rest it delays nothing. The connection itself (TLS,
authentication, protocol) stays redis-py's.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import structlog
from redis.asyncio import Connection
from redis.exceptions import NoScriptError, RedisError, ResponseError

from servicekit.redis import LOST
from services.gateway.admission.degraded.breaker import Breaker
from services.gateway.admission.degraded.redis_time import RedisTime
from services.gateway.admission.keys import details_key
from services.gateway.admission.redis.running import RedisLost, redirection_of
from services.gateway.admission.redis.scripts import RENEW, Script
from services.gateway.admission.wire import RenewCall, pack

log = structlog.get_logger()

MAX_BATCH: Final = 128
# The timeout is counted in so many parts, each of which takes a turn of the loop at least.
TIMEOUT_PARTS: Final = 10
PROBE_KEY: Final = details_key("probe")
NOTHING_TO_RENEW: Final = pack(RenewCall(0, []))


class Call(NamedTuple):
    """A script that waits to be sent, or for its answer; see `ScriptRunner.run`."""

    script: Script
    key: bytes
    payload: bytes
    within_s: float
    answer: asyncio.Future[Any]


class ScriptRunner:
    """Sends scripts in batches; every call ends within the timeout, one way or another."""

    is_cluster: Final = False

    def __init__(
        self, new_connection: Callable[[], Connection], breaker: Breaker, time: RedisTime, *, timeout_s: float
    ) -> None:
        self._new_connection = new_connection
        self._breaker = breaker
        self._time = time
        self._timeout_s = timeout_s
        self._waiting: list[Call] = []
        self._wake = asyncio.Event()
        self._connection: Connection | None = None

    @property
    def is_degraded(self) -> bool:
        """Tell whether nobody asks this server for now."""
        return not self._breaker.is_closed

    def time_of(self, key: str) -> RedisTime:
        """Return its clock."""
        return self._time

    def run(self, script: Script, key: str, payload: bytes, *, within_s: float = 0.0) -> asyncio.Future[Any]:
        """Return the script's answer.

        Args:
            script: which.
            key: decides on which server of a cluster it runs.
            payload: its argument.
            within_s: how long after it was sent it may still do something, by the clock of Redis; 0: for ever.

        Raises:
            RedisLost: no answer.
        """
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._breaker.allows():
            self._waiting.append(Call(script, key.encode(), payload, within_s, answer))
            self._wake.set()
        else:
            answer.set_exception(RedisLost("the circuit is open"))
        return answer

    async def probe(self) -> None:
        """Find out whether Redis is back when nobody else asks."""
        if not self._breaker.is_closed:
            with contextlib.suppress(RedisLost):
                await self.run(RENEW, PROBE_KEY, NOTHING_TO_RENEW)

    async def serve(self) -> None:
        """Send what waits, for ever; cancel it to stop."""
        try:
            while True:
                await self._wake.wait()
                batch = self._waiting[:MAX_BATCH]
                del self._waiting[:MAX_BATCH]
                if not self._waiting:
                    self._wake.clear()
                if batch:
                    await self._answer(batch)
        finally:
            self._give_up(self._waiting, RedisLost("stopping"))
            await self._disconnect()

    async def _answer(self, batch: list[Call]) -> None:
        try:
            async with _fair_timeout(self._timeout_s):
                answers = await self._exchange_again(batch)
        except LOST as exc:
            await self._failed(batch, exc)
        except BaseException:
            self._give_up(batch, RedisLost("stopping"))
            raise
        else:
            self._deliver(batch, answers)

    async def _exchange_again(self, batch: list[Call]) -> list[Any]:
        """Send it; once more on a new connection when the server had closed the old one: scripts are idempotent."""
        fresh = self._connection is None or not self._connection.is_connected
        try:
            return await self._exchange(batch)
        except (RedisError, OSError) as exc:
            if fresh or isinstance(exc, TimeoutError):
                raise
            await self._disconnect()
            return await self._exchange(batch)

    async def _exchange(self, batch: list[Call]) -> list[Any]:
        connection = await self._connected()
        await connection.send_packed_command(
            [_evalsha(call, self._deadline_us(call)) for call in batch], check_health=False
        )
        answers = [await self._read(connection) for _ in batch]
        unknown = [at for at, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            await connection.send_packed_command(
                [_eval(batch[at], self._deadline_us(batch[at])) for at in unknown], check_health=False
            )
            for at in unknown:
                answers[at] = await self._read(connection)
        return answers

    def _deadline_us(self, call: Call) -> int:
        return self._time.deadline_us(call.within_s) if call.within_s else 0

    @staticmethod
    async def _read(connection: Connection) -> Any:
        try:
            return await connection.read_response(disable_decoding=True, timeout=math.inf)
        except ResponseError as exc:
            return exc

    async def _connected(self) -> Connection:
        if self._connection is None:
            connection = self._new_connection()
            # One timeout bounds the whole batch; redis-py's own would cost a task for each write.
            connection.socket_timeout = None
            self._connection = connection
        if not self._connection.is_connected:
            await self._connection.connect()  # type: ignore[no-untyped-call]
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    def _deliver(self, batch: list[Call], answers: list[Any]) -> None:
        # A server that knows where a slot is, is well.
        failure = next((each for each in answers if isinstance(each, ResponseError) and not redirection_of(each)), None)
        if failure is None:
            self._breaker.succeeded()
        else:
            self._count_failure(failure)
        for call, answer in zip(batch, answers, strict=True):
            if call.answer.done():
                continue
            if isinstance(answer, ResponseError):
                call.answer.set_exception(redirection_of(answer) or RedisLost(str(answer)))
            else:
                call.answer.set_result(answer)

    async def _failed(self, batch: list[Call], cause: BaseException) -> None:
        await self._disconnect()
        self._count_failure(cause)
        # Who queued behind a hung batch has waited as well: nobody waits for two timeouts.
        waiting, self._waiting = self._waiting, []
        self._wake.clear()
        self._give_up(batch + waiting, RedisLost(type(cause).__name__))

    def _count_failure(self, cause: BaseException) -> None:
        was_closed = self._breaker.is_closed
        self._breaker.failed()
        if was_closed and not self._breaker.is_closed:
            log.warning("admission.redis_lost", cause=type(cause).__name__, error=str(cause)[:200])

    @staticmethod
    def _give_up(calls: list[Call], exc: RedisLost) -> None:
        for call in calls:
            if not call.answer.done():
                call.answer.set_exception(exc)


@asynccontextmanager
async def _fair_timeout(seconds: float) -> AsyncIterator[None]:
    """Cancel the block after so long, counting only what the loop had a chance to see.

    An answer is seen a few turns of the loop after it has come. When turns are long, because hundreds of streams end
    together, a plain timer would fire while it lies there; so the time passes in parts, and one whose timer comes late
    counts as one.
    """
    loop = asyncio.get_running_loop()
    left = TIMEOUT_PARTS
    timer: asyncio.TimerHandle

    def passed() -> None:
        nonlocal left, timer
        left -= 1
        if left:
            timer = loop.call_later(seconds / TIMEOUT_PARTS, passed)
        else:
            limit.reschedule(loop.time())

    async with asyncio.timeout(None) as limit:
        timer = loop.call_later(seconds / TIMEOUT_PARTS, passed)
        try:
            yield
        finally:
            timer.cancel()


def _evalsha(call: Call, deadline_us: int) -> bytes:
    script, key, payload = call.script, call.key, call.payload
    deadline = b"%d" % deadline_us
    return b"*6\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n$1\r\n1\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (
        script.sha,
        len(key),
        key,
        len(payload),
        payload,
        len(deadline),
        deadline,
    )


def _eval(call: Call, deadline_us: int) -> bytes:
    script, key, payload = call.script, call.key, call.payload
    deadline = b"%d" % deadline_us
    return b"*6\r\n$4\r\nEVAL\r\n$%d\r\n%b\r\n$1\r\n1\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (
        len(script.body),
        script.body,
        len(key),
        key,
        len(payload),
        payload,
        len(deadline),
        deadline,
    )
