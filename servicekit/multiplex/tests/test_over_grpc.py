"""Calls that share RPCs, over a real socket: what a unary call promises, they promise too."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from servicekit.call import IN_FLIGHT, SECONDS, current_call
from servicekit.errors import (
    KINDS,
    DeadlineExceeded,
    ErrorReason,
    Internal,
    InvalidRequest,
    ServiceError,
    Unavailable,
)
from servicekit.multiplex.client import MultiplexClient
from servicekit.multiplex.frames import Call, Cancel
from servicekit.multiplex.handlers import Handler, StreamHandler, UnaryHandler
from servicekit.multiplex.tests.over_grpc import CONTEXT, PickleCodec, at, connected, served, stream, unary, until


class Handlers:
    """What the tests call; each request says what to do."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.cancelled = asyncio.Event()
        self.go = asyncio.Event()
        self.seen: list[str] = []
        self.table: dict[str, Handler] = {"Whole": UnaryHandler(self.whole), "Parts": StreamHandler(self.parts)}

    async def whole(self, call: Call) -> bytes:
        context = current_call()
        self.seen.append(f"{context.request_id} {context.trace.trace_id}")
        if self.error is not None:
            raise self.error
        if call.request == b"slow":
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        if call.request == b"wait":
            await self.go.wait()
        return bytes(call.request)

    async def parts(self, call: Call) -> Any:
        try:
            for number in range(int(call.request or b"5")):
                yield str(number).encode()
                if number == 1 and call.request == b"1000":
                    await self.go.wait()
            if self.error is not None:
                raise self.error
        finally:
            self.cancelled.set()


def counted(method: str, outcome: str) -> float:
    samples = next(iter(SECONDS.collect())).samples
    wanted = {"method": method, "outcome": outcome}
    return sum(each.value for each in samples if each.name.endswith("_count") and each.labels == wanted)


async def test_a_unary_call_brings_its_answer_and_its_context() -> None:
    """The handler sees the caller's request id and trace, as with a call of its own."""
    handlers = Handlers()
    async with served(handlers.table) as server, connected(at(server)) as client:
        answer = await unary(client, b"hello")

    assert answer == b"hello"
    assert handlers.seen == [f"request-7 {CONTEXT.trace.trace_id}"]


async def test_a_stream_brings_its_parts_in_order_and_ends() -> None:
    """Parts that arrived together are read together."""
    async with served(Handlers().table) as server, connected(at(server)) as client:
        heard = [part async for parts in stream(client, b"50") for part in parts]

    assert heard == [str(number).encode() for number in range(50)]


async def test_a_stream_comes_in_the_caller_s_values_and_ends_where_they_cannot_be_made() -> None:
    """What cannot be read is this call's fault alone: its handler is closed, the RPC goes on."""
    handlers = Handlers()
    async with served(handlers.table) as server, connected(at(server), connections=1) as client:
        asked = partial(client.stream, "Parts", deadline_s=30.0, context=CONTEXT)
        heard = [part async for parts in asked(b"50", decode=lambda parts: list(map(int, parts))) for part in parts]
        handlers.cancelled.clear()
        with pytest.raises(ZeroDivisionError):
            await anext(asked(b"1000", decode=lambda parts: [1 // int(part) for part in parts]))
        await asyncio.wait_for(handlers.cancelled.wait(), 30)

        assert heard == list(range(50))
        assert await unary(client, b"hello") == b"hello"


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.kind)
async def test_every_kind_of_error_crosses_whole(kind: type[ServiceError]) -> None:
    """Kind, reason, message, field, details and retry-after arrive, after the parts that came before."""
    handlers = Handlers()
    raised = Internal("m") if kind is Internal else _error_of(kind)
    handlers.error = raised
    heard: list[bytes] = []
    async with served(handlers.table) as server, connected(at(server)) as client:
        with pytest.raises(kind) as caught:
            await _hear(client, heard)

    seen = caught.value
    assert (seen.reason, seen.message, seen.param) == (raised.reason, raised.message, raised.param)
    assert (seen.retry_after_s, seen.details) == (raised.retry_after_s, raised.details)
    assert heard == [b"0", b"1", b"2", b"3", b"4"]


async def _hear(client: MultiplexClient, heard: list[bytes]) -> None:
    async for parts in stream(client):
        heard += parts


def _error_of(kind: type[ServiceError]) -> ServiceError:
    return kind(ErrorReason.QUOTA_EXCEEDED, "сообщение", param="n", retry_after_s=1.5, details={"limit": "20"})


async def test_an_unknown_exception_shows_the_caller_nothing() -> None:
    """What went wrong inside stays in the log."""
    handlers = Handlers()
    handlers.error = RuntimeError("password=hunter2")
    async with served(handlers.table) as server, connected(at(server)) as client:
        with pytest.raises(Internal) as caught:
            await unary(client)

    assert "hunter2" not in caught.value.message


async def test_metrics_count_each_call_by_method_and_outcome() -> None:
    """The same series as for a call of its own; the RPC that carries them is not counted."""
    handlers = Handlers()
    before = counted("Whole", "OK"), counted("Whole", "PROVIDER_ERROR"), counted("Converse", "OK")
    async with served(handlers.table) as server, connected(at(server)) as client:
        await unary(client)
        handlers.error = InvalidRequest(ErrorReason.PROVIDER_ERROR, "m")
        with pytest.raises(InvalidRequest):
            await unary(client)

    after = counted("Whole", "OK"), counted("Whole", "PROVIDER_ERROR"), counted("Converse", "OK")
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 0]
    assert IN_FLIGHT.labels("Whole")._value.get() == 0


async def test_a_call_past_its_deadline_is_cancelled_on_both_sides() -> None:
    """The handler's work ends too; other calls of the same RPC go on."""
    handlers = Handlers()
    async with served(handlers.table) as server, connected(at(server), connections=1) as client:
        other = asyncio.create_task(unary(client, b"wait"))
        async with asyncio.timeout(60):
            # Again: on a busy machine the time may be over before the server has begun.
            while not handlers.cancelled.is_set():
                with pytest.raises(DeadlineExceeded) as caught:
                    await unary(client, b"slow", deadline_s=0.2)
        handlers.go.set()

        assert await other == b"wait"
    assert caught.value.reason is ErrorReason.DEADLINE_EXCEEDED


class Hasty(PickleCodec):
    """Reads every deadline as 50 ms."""

    def decode(self, message: Any) -> Any:
        return [replace(each, timeout_s=0.05) if isinstance(each, Call) else each for each in super().decode(message)]


async def test_the_server_ends_a_call_by_the_deadline_in_its_frame() -> None:
    """By its own timer, ahead of the caller's, so the caller hears which method was slow."""
    handlers = Handlers()
    before = counted("Whole", "DEADLINE_EXCEEDED")
    async with served(handlers.table, codec=Hasty()) as server, connected(at(server)) as client:
        with pytest.raises(DeadlineExceeded) as caught:
            await unary(client, b"slow", deadline_s=60.0)

    assert caught.value.message == "Whole ran out of time."
    assert handlers.cancelled.is_set()
    assert counted("Whole", "DEADLINE_EXCEEDED") - before == 1


async def test_leaving_a_stream_cancels_it_alone() -> None:
    """The handler is closed, its neighbour on the same RPC is not."""
    handlers, codec = Handlers(), PickleCodec()
    async with served(handlers.table) as server, connected(at(server), codec=codec, connections=1) as client:
        other = asyncio.create_task(unary(client, b"wait"))
        async with aclosing(stream(client, b"1000")) as parts:
            await anext(parts)
        await asyncio.wait_for(handlers.cancelled.wait(), 30)
        handlers.go.set()

        assert await other == b"wait"
        await until(lambda: server.shared.in_hand == 0)
    assert sum(isinstance(frame, Cancel) for message in codec.messages for frame in message) == 1


async def test_calls_of_one_turn_share_one_message() -> None:
    """A hundred calls made at once are one message there, and their answers one message back."""
    codec = PickleCodec()
    async with served(Handlers().table) as server, connected(at(server), codec=codec, connections=1) as client:
        await unary(client)
        codec.messages.clear()
        server.codec.messages.clear()
        answers = await asyncio.gather(*(unary(client, str(number).encode()) for number in range(100)))

    assert answers == [str(number).encode() for number in range(100)]
    assert [len(message) for message in codec.messages] == [100]
    assert [len(message) for message in server.codec.messages] == [100]


async def test_a_message_is_no_larger_than_it_may_be() -> None:
    """Frames above the bound of a message are written in several."""
    codec, kilobyte = PickleCodec(), b"x" * 1024
    async with (
        served(Handlers().table) as server,
        connected(at(server), codec=codec, connections=1, message_kb=10) as client,
    ):
        await unary(client)
        codec.messages.clear()
        await asyncio.gather(*(unary(client, kilobyte) for _ in range(35)))

    assert [len(message) for message in codec.messages] == [10, 10, 10, 5]


async def test_a_request_above_the_limit_fails_alone() -> None:
    """A shared RPC must not break over one call's size."""
    async with served(Handlers().table, payload_mb=1) as server, connected(at(server), connections=1) as client:
        await unary(client)
        opened = len(server.rpcs)
        with pytest.raises(InvalidRequest) as request_refused:
            await unary(client, b"x" * (24 * 1024 * 1024))
        with pytest.raises(InvalidRequest) as answer_refused:
            await unary(client, b"x" * (2 * 1024 * 1024))

        assert await unary(client, b"small") == b"small"
        assert len(server.rpcs) == opened
    assert request_refused.value.reason is answer_refused.value.reason is ErrorReason.PAYLOAD_TOO_LARGE


async def test_too_much_in_hand_is_refused_with_a_time_to_try_again() -> None:
    """Work is bounded; a refusal costs no task and is counted."""
    handlers = Handlers()
    before = counted("Whole", "SERVICE_UNAVAILABLE")
    async with served(handlers.table, calls_max=2) as server, connected(at(server)) as client:
        taken = [asyncio.create_task(unary(client, b"wait")) for _ in range(2)]
        await until(lambda: server.shared.in_hand == 2)
        with pytest.raises(Unavailable) as caught:
            await unary(client)
        handlers.go.set()

        assert await asyncio.gather(*taken) == [b"wait", b"wait"]
        assert await unary(client) == b""
    assert caught.value.retry_after_s == 1.0
    assert counted("Whole", "SERVICE_UNAVAILABLE") - before == 1


async def test_requests_too_heavy_together_are_refused() -> None:
    """Memory is bounded by bytes, not only by calls; one heavy call alone passes."""
    handlers, heavy = Handlers(), b"x" * (2 * 1024 * 1024)
    async with served(handlers.table, request_mb_max=1) as server, connected(at(server)) as client:
        assert await unary(client, heavy) == heavy
        taken = asyncio.create_task(unary(client, b"wait"))
        await until(lambda: server.shared.in_hand == 1)
        with pytest.raises(Unavailable):
            await unary(client, heavy)
        # What has ended counts no longer: a small one fits beside.
        assert await unary(client, b"small") == b"small"
        handlers.go.set()

        assert await taken == b"wait"


async def test_an_unknown_method_is_an_internal_error() -> None:
    """A caller of a newer version hears of it, and its other calls go on."""
    async with served(Handlers().table) as server, connected(at(server)) as client:
        with pytest.raises(Internal):
            await unary(client, method="Unheard")

        assert await unary(client, b"known") == b"known"
