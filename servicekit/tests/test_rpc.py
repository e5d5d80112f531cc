"""The kit's gRPC server and client, over a real socket, with a servicer of their own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from razvilka.usage.v1 import usage_pb2, usage_pb2_grpc

from servicekit import rpc_client
from servicekit.call import CallContext, current_call
from servicekit.errors import (
    KINDS,
    DeadlineExceeded,
    ErrorReason,
    Internal,
    NotFound,
    QuotaExceeded,
    ServiceError,
    Unavailable,
)
from servicekit.rpc_errors import REASON_OF_KIND, STATUS_OF_KIND, decode, fields, from_fields
from servicekit.rpc_server import running_server
from servicekit.settings import GrpcSettings
from servicekit.testing.ready_channel import ready_channel
from servicekit.testing.sampled import sampled
from servicekit.tracing import begin_trace
from servicekit.trust.callers import CallPolicy

METHODS = usage_pb2.DESCRIPTOR.services_by_name["UsageService"].methods
POLICY = CallPolicy({f"/razvilka.usage.v1.UsageService/{method.name}": ("gateway",) for method in METHODS})


class Servicer(usage_pb2_grpc.UsageServiceServicer):
    """Answers by the user id: an error to raise, or what the call's context is."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.cancelled = asyncio.Event()
        self.at_once = self.most_at_once = 0
        self.peers: set[str] = set()

    async def GetSpend(self, request: Any, context: Any) -> Any:
        self.peers.add(context.peer())
        if self.error is not None:
            raise self.error
        if request.user_id == "slow":
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        if request.user_id == "counted":
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            await asyncio.sleep(0.05)
            self.at_once -= 1
        return usage_pb2.GetSpendResponse(requests=len(current_call().request_id))


@asynccontextmanager
async def served(servicer: Servicer, *, ready: bool = True, **bounds: int) -> AsyncIterator[grpc.aio.Channel]:
    async def is_ready() -> bool:
        return ready

    def register(server: grpc.aio.Server) -> None:
        usage_pb2_grpc.add_UsageServiceServicer_to_server(servicer, server)

    async with (
        running_server(GrpcSettings(grace_s=0, **bounds), register, is_ready, POLICY) as port,
        ready_channel(port) as channel,
    ):
        yield channel


async def get_spend(channel: grpc.aio.Channel, user_id: str = "u", deadline_s: float = 60.0) -> Any:
    stub: Any = usage_pb2_grpc.UsageServiceStub(channel)
    call = CallContext("request-7", begin_trace(None))
    return await rpc_client.unary(
        stub.GetSpend, usage_pb2.GetSpendRequest(user_id=user_id), deadline_s=deadline_s, call=call
    )


async def test_every_kind_of_error_crosses_the_border_whole() -> None:
    """Kind, reason, message, field, details and retry-after arrive as they were raised."""
    servicer = Servicer()
    async with served(servicer) as channel:
        for kind in KINDS.values():
            raised = Internal("m") if kind is Internal else _error_of(kind)
            servicer.error = raised

            with pytest.raises(kind) as caught:
                await get_spend(channel)

            seen = caught.value
            assert (seen.reason, seen.message, seen.param) == (raised.reason, raised.message, raised.param)
            assert (seen.retry_after_s, seen.details) == (raised.retry_after_s, raised.details)


def _error_of(kind: type[ServiceError]) -> ServiceError:
    return kind(ErrorReason.QUOTA_EXCEEDED, "сообщение", param="n", retry_after_s=1.5, details={"limit": "20"})


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind is not Internal], ids=lambda kind: kind.kind)
def test_a_reason_of_a_later_release_is_one_of_the_same_kind(kind: type[ServiceError]) -> None:
    """A request that a newer service refuses is no failure of ours, which clients would try again and again."""
    body = {**fields(_error_of(kind)), "reason": "NOT_THOUGHT_OF_YET"}

    seen = from_fields(body)

    assert (type(seen), seen.reason, seen.message) == (kind, REASON_OF_KIND[kind], "сообщение")
    assert (seen.param, seen.retry_after_s, seen.details) == ("n", 1.5, {"limit": "20"})


async def test_a_method_that_an_older_server_lacks_may_be_tried_again() -> None:
    """The next server may be a new one: the rollout goes on."""
    async with served(Servicer()) as channel:
        later: Any = channel.unary_unary("/razvilka.usage.v1.UsageService/NotThoughtOfYet")

        with pytest.raises(Unavailable) as caught:
            await rpc_client.unary(later, b"", deadline_s=60.0)

    assert caught.value.retry_after_s is not None


def test_every_kind_has_a_status_of_its_own() -> None:
    """A new kind without a row fails here, and no two kinds share a status."""
    assert set(STATUS_OF_KIND) == set(KINDS.values())
    assert len(set(STATUS_OF_KIND.values())) == len(STATUS_OF_KIND)


async def test_an_unknown_exception_shows_the_caller_nothing() -> None:
    """What went wrong inside stays in the log."""
    servicer = Servicer()
    servicer.error = RuntimeError("password=hunter2")
    async with served(servicer) as channel:
        with pytest.raises(Internal) as caught:
            await get_spend(channel)

    assert "hunter2" not in caught.value.message


async def test_a_call_past_its_deadline_is_cancelled_on_both_sides() -> None:
    """The server's work ends too; the caller hears which method was slow."""
    servicer = Servicer()
    async with served(servicer) as channel, asyncio.timeout(60):
        # Again: on a busy machine the time may be over before the server has begun.
        while not servicer.cancelled.is_set():
            with pytest.raises(DeadlineExceeded) as caught:
                await get_spend(channel, "slow", deadline_s=0.2)

    assert caught.value.reason is ErrorReason.DEADLINE_EXCEEDED


async def test_a_message_above_the_limit_is_refused() -> None:
    """By its announced length, before it is read; the service goes on."""
    servicer = Servicer()
    async with served(servicer, max_message_mb=1) as channel:
        with pytest.raises(ServiceError) as caught:
            await get_spend(channel, "u" * 2 * 1024 * 1024)
        answer = await get_spend(channel)

    assert caught.value.reason is not ErrorReason.INTERNAL_ERROR
    assert answer.requests == len("request-7")


async def test_one_connection_has_no_more_calls_under_way_than_it_may() -> None:
    """What is too many waits for its turn or is told to try again; the service never sees it."""
    servicer = Servicer()
    async with served(servicer, max_streams=2) as channel:
        outcomes = await asyncio.gather(*(get_spend(channel, "counted") for _ in range(40)), return_exceptions=True)

    answered = [each for each in outcomes if not isinstance(each, BaseException)]
    assert len(answered) >= 2
    assert all(isinstance(each, Unavailable) for each in outcomes if isinstance(each, BaseException))
    assert servicer.most_at_once == 2


async def test_callers_connect_anew_now_and_then_and_no_call_fails() -> None:
    """Only so does a name lead them to instances that were added; what is under way meanwhile goes on."""
    servicer = Servicer()
    async with served(servicer, connection_age_s=1) as channel:
        while len(servicer.peers) < 3:
            await asyncio.gather(*(get_spend(channel, "counted") for _ in range(5)))


async def test_the_request_id_travels_with_the_call() -> None:
    """The handler sees the context that the caller sent."""
    async with served(Servicer()) as channel:
        answer = await get_spend(channel)

    assert answer.requests == len("request-7")


async def test_a_service_that_is_not_there_is_unavailable() -> None:
    """A refused connection is an error of its own kind, with a hint to try again."""
    async with rpc_client.open_channel("127.0.0.1:1") as channel:
        with pytest.raises(Unavailable) as caught:
            await get_spend(channel)

    assert caught.value.retry_after_s is not None


@pytest.mark.parametrize("ready", [True, False])
async def test_health_says_what_the_service_says_of_itself(ready: bool) -> None:
    """grpc.health.v1 follows the `ready` callback, and so does the metric that an alarm looks at."""
    async with served(Servicer(), ready=ready) as channel:
        async with asyncio.timeout(60):
            while await rpc_client.is_serving(channel) is not ready:
                await asyncio.sleep(0.01)

        assert await rpc_client.is_serving(channel) is ready
        async with asyncio.timeout(60):
            while sampled("razvilka_ready") != ready:
                await asyncio.sleep(0.01)


async def test_not_found_keeps_its_type_for_except_clauses() -> None:
    """Callers catch by kind."""
    servicer = Servicer()
    servicer.error = NotFound(ErrorReason.NOT_FOUND, "no such request")
    async with served(servicer) as channel:
        with pytest.raises(NotFound):
            await get_spend(channel)

    assert not issubclass(NotFound, QuotaExceeded)


@pytest.mark.parametrize(
    ("code", "details"),
    [
        (grpc.StatusCode.UNAVAILABLE, "Socket closed"),
        (grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2"),
        (grpc.StatusCode.UNKNOWN, "Stream removed"),
    ],
)
def test_a_server_that_dies_in_the_middle_of_a_call_is_unavailable(code: grpc.StatusCode, details: str) -> None:
    """However gRPC hears of it, it is no fault of ours: the caller may try again."""
    nothing = grpc.aio.Metadata()

    assert isinstance(decode(grpc.aio.AioRpcError(code, nothing, nothing, details)), Unavailable)


def test_what_the_transport_breaks_itself_is_internal() -> None:
    """A message that cannot be read is not mended by another try."""
    nothing = grpc.aio.Metadata()
    broken = grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, nothing, nothing, "Exception deserializing response!")

    assert isinstance(decode(broken), Internal)
