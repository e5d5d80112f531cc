"""Calls over a few long-lived RPCs: a new call goes to the server that has the fewest of ours in hand."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from servicekit import lifecycle
from servicekit.call import CallContext
from servicekit.errors import Internal, ServiceError
from servicekit.multiplex.client_call import ClientCall, NotTaken
from servicekit.multiplex.connection import Connection
from servicekit.multiplex.frames import CallerCodec
from servicekit.multiplex.loop_lag import LoopLag
from servicekit.multiplex.settings import MultiplexClientSettings
from servicekit.rpc_errors import deadline_exceeded, too_large, unavailable

log = structlog.get_logger()

OpenRpc = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class _Slot:
    """One of the RPCs that are kept open, and whether it takes no more calls."""

    connection: Connection
    retired: asyncio.Event


@asynccontextmanager
async def open_client(
    rpcs: Sequence[OpenRpc], codec: CallerCodec, settings: MultiplexClientSettings
) -> AsyncIterator[MultiplexClient]:
    """Yield a client that keeps its RPCs open by itself; on leaving, calls under way fail.

    Args:
        rpcs: each begins a bidirectional RPC (a stub's method); the connections are spread over them in turn.
        codec: the contract's messages.
        settings: how many, how large, for how long.
    """
    async with lifecycle.background() as tasks:
        client = MultiplexClient(codec, settings, tasks)
        for number in range(settings.connections):
            tasks.start(client.keep_open(rpcs[number % len(rpcs)]), name="multiplex.keep_open")
        yield client


class MultiplexClient:
    """Makes calls; see `open_client`."""

    def __init__(self, codec: CallerCodec, settings: MultiplexClientSettings, tasks: lifecycle.Background) -> None:
        self._codec = codec
        self._settings = settings
        self._tasks = tasks
        self._open: list[Connection] = []
        # Of the open ones the first to each server; the others stand by.
        self._carrying: list[Connection] = []
        # Those that drain, too: what a server still has in hand there is its load.
        self._running: list[Connection] = []
        self._opening = settings.connections
        self._changed = asyncio.Event()
        self._lag = LoopLag(settings.lag_ms / 1000, settings.hold_ms / 1000)
        # Chance spreads renewals and retries; it needs no secrecy.
        self._random = random.Random()  # noqa: S311

    @property
    def in_flight(self) -> list[int]:
        """Calls open on each RPC that takes new ones."""
        return [connection.in_flight for connection in self._open]

    async def unary(self, method: str, request: Any, *, deadline_s: float, context: CallContext) -> Any:
        """Return the one response.

        Raises:
            ServiceError: what the handler raised, Unavailable, or DeadlineExceeded.
        """
        call = self._new_call(method, request, 0, deadline_s, context)
        try:
            responses = await self._begun(call)
        finally:
            call.leave()
        if not responses:
            raise Internal()
        return responses[0]

    async def stream(
        self,
        method: str,
        request: Any,
        *,
        deadline_s: float,
        context: CallContext,
        decode: Callable[[list[Any]], list[Any]] = list,
    ) -> AsyncGenerator[list[Any], None]:
        """Yield the responses, all that have arrived together; leaving the iteration cancels the call.

        Args:
            decode: makes values of them; a generator around this one, which could do it, costs every response.

        Raises:
            ServiceError: as `unary`, at the start or after any response.
        """
        call = self._new_call(method, request, self._settings.window_kb * 1024, deadline_s, context)
        self._lag.begin(call)
        try:
            responses = await self._begun(call)
            while responses:
                yield decode(responses)
                responses = await call.read()
        finally:
            self._lag.end(call)
            call.leave()

    async def keep_open(self, begin: OpenRpc) -> None:
        """Keep one RPC open for ever: renew it in time; when it is lost, or drains, open another."""
        while True:
            slot = await self._opened(begin)
            opened_at = asyncio.get_running_loop().time()
            while await self._outlived(slot):
                slot = await self._replacement(begin, slot)
                opened_at = asyncio.get_running_loop().time()
            # Lost as soon as it was opened: as good as not opened.
            if asyncio.get_running_loop().time() - opened_at < self._settings.reopen_first_s:
                await self._pause(1)

    async def _opened(self, begin: OpenRpc) -> _Slot:
        """Open one RPC, after growing pauses while it fails."""
        failures = 0
        while True:
            try:
                slot = await self._try(begin)
            except ServiceError as exc:
                failures += 1
                log.info("multiplex.not_opened", reason=exc.reason.value, failures=failures)
                await self._pause(failures)
                continue
            self._opening -= 1
            self._add(slot)
            return slot

    async def _replacement(self, begin: OpenRpc, old: _Slot) -> _Slot:
        """Open another RPC and let the old one drain; while that fails, the old one stays."""
        try:
            slot = await self._try(begin, old.connection)
        except ServiceError as exc:
            log.info("multiplex.not_renewed", reason=exc.reason.value)
            return old
        self._add(slot)
        # The slot is filled already: retiring the old one leaves nothing to be opened.
        self._opening -= 1
        old.connection.drain()
        return slot

    async def _try(self, begin: OpenRpc, leaving: Connection | None = None) -> _Slot:
        """Open two RPCs and keep the one whose server has fewer of ours.

        gRPC balances by turns, which says nothing about a few long-lived RPCs: the first server that is ready would
        get them all, and one that came back would wait for chance. The one that is `leaving` is ours no more.

        Raises:
            ServiceError: neither could be opened.
        """
        slots = [self._slot(begin), self._slot(begin)]
        opened = await asyncio.gather(
            *(slot.connection.open(self._settings.open_timeout_s) for slot in slots), return_exceptions=True
        )
        good = [slot for slot, failure in zip(slots, opened, strict=True) if failure is None]
        if not good:
            raise next((failure for failure in opened if isinstance(failure, ServiceError)), unavailable())
        ours = Counter(each.instance for each in self._open if each is not leaving)
        chosen = min(good, key=lambda slot: ours[slot.connection.instance])
        for slot in good:
            if slot is not chosen:
                slot.connection.abandon()
        return chosen

    def _slot(self, begin: OpenRpc) -> _Slot:
        retired = asyncio.Event()

        def retire(connection: Connection) -> None:
            if connection in self._open:
                self._open.remove(connection)
                self._choose_carrying()
                self._opening += 1
                retired.set()

        return _Slot(Connection(begin(), self._codec, self._settings, retire), retired)

    async def _outlived(self, slot: _Slot) -> bool:
        """Wait until the RPC is old (true) or takes no more calls by itself (false)."""
        try:
            async with asyncio.timeout(self._settings.renew_s * self._random.uniform(0.8, 1.2)):
                await slot.retired.wait()
        except TimeoutError:
            return not slot.retired.is_set()
        return False

    def _add(self, slot: _Slot) -> None:
        self._open.append(slot.connection)
        self._running.append(slot.connection)
        self._choose_carrying()
        self._tasks.start(self._run(slot.connection), name="multiplex.connection")
        self._notify()

    def _choose_carrying(self) -> None:
        # Frames on one RPC share its messages; on two to one server they would take twice as many.
        first: dict[str, Connection] = {}
        for each in self._open:
            first.setdefault(each.instance, each)
        self._carrying = list(first.values())

    async def _run(self, connection: Connection) -> None:
        try:
            await connection.run()
        finally:
            self._running.remove(connection)

    async def _pause(self, failures: int) -> None:
        """Wait before the next try; meanwhile nobody need wait for this RPC."""
        self._opening -= 1
        self._notify()
        await asyncio.sleep(self._pause_s(failures))
        self._opening += 1

    def _pause_s(self, failures: int) -> float:
        doubled = self._settings.reopen_first_s * 2.0 ** min(failures - 1, 16)
        return min(doubled, self._settings.reopen_at_most_s) * self._random.uniform(0.5, 1.0)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _new_call(self, method: str, request: Any, window: int, deadline_s: float, context: CallContext) -> ClientCall:
        size = self._codec.size(request)
        if size > self._settings.payload_mb * 1024 * 1024:
            raise too_large()
        return ClientCall(
            method, request, size=size, window=window, deadline_s=deadline_s, context=context, lag=self._lag
        )

    async def _begun(self, call: ClientCall) -> list[Any]:
        """Send the call and return the first that comes; once more when a draining server has not begun it."""
        while True:
            (self._least_busy() or await self._next_connection(call)).start(call)
            try:
                return await call.read()
            except NotTaken:
                continue

    def _least_busy(self) -> Connection | None:
        if len(self._carrying) < 2:
            return self._carrying[0] if self._carrying else None
        in_hand = {each.instance: 0 for each in self._carrying}
        for each in self._running:
            if each.instance in in_hand:
                in_hand[each.instance] += each.in_flight
        connection = min(self._carrying, key=lambda each: in_hand[each.instance])
        # To the end of the list: among equals the one that was used longest ago is next.
        self._carrying.remove(connection)
        self._carrying.append(connection)
        return connection

    async def _next_connection(self, call: ClientCall) -> Connection:
        """Wait for an RPC that is being opened; when none is, the service is not there."""
        try:
            async with asyncio.timeout_at(call.deadline_at):
                while (connection := self._least_busy()) is None:
                    if self._opening == 0:
                        raise unavailable()
                    await self._changed.wait()
        except TimeoutError as exc:
            raise deadline_exceeded() from exc
        return connection
