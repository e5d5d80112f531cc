"""What administrators order of one router counts on all of them; over the real RPCs, PostgreSQL and Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.router.v1 import admin_pb2 as pb
from razvilka.router.v1 import admin_pb2_grpc, router_pb2

from emulator.testing import RunningEmulator
from servicekit import rpc_client
from servicekit.clock import SystemClock
from servicekit.errors import ErrorReason, ServiceError
from servicekit.testing.ready_channel import ready_channel
from services.router.circuits.settings import CircuitSettings
from services.router.server import running
from services.router.tests.adapters import LONG_S, router_settings
from services.router.tests.running_router import Stub, complete, prompt, router
from tools.testing.patience import postgres_settings
from tools.testing.plugin import MakeDatabaseDsn
from tools.testing.redis_clients import redis_settings

MODEL = "gigachat-max"
BEYOND = Timestamp(seconds=10**12)


class Administrator:
    """The administrators' RPCs of one router."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def ask(self, request: Any) -> Any:
        """Send a request to the RPC of its name."""
        method = type(request).__name__.removesuffix("Request")
        return await rpc_client.unary(getattr(self._stub, method), request, deadline_s=LONG_S)

    async def drain(self, scope: pb.ProviderScope, *, drained: bool) -> None:
        await self.ask(pb.SetDrainedRequest(scope=scope, drained=drained, reason="costs", drained_by="user:1"))


@asynccontextmanager
async def administered(emulator: RunningEmulator, **settings: Any) -> AsyncIterator[Administrator]:
    async with (
        running(router_settings(emulator, **settings), SystemClock()) as port,
        ready_channel(port) as channel,
    ):
        yield Administrator(admin_pb2_grpc.RouterAdminServiceStub(channel))


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LONG_S):
        while not await holds():
            await asyncio.sleep(0.02)


async def reason_of(stub: Stub) -> str:
    """Ask the model; return why it did not answer, "" when it did."""
    try:
        await complete(stub, prompt(MODEL, "[[text:да]]", allowed_models=[MODEL]))
    except ServiceError as exc:
        return exc.reason.value
    return ""


async def test_a_drain_ordered_of_one_router_counts_on_another(
    emulator: RunningEmulator, make_database_dsn: MakeDatabaseDsn, redis_url: str
) -> None:
    """Said over Redis: the other looks into the table once an hour only."""
    shared = {
        "postgres": postgres_settings(await make_database_dsn("router")),
        "redis": redis_settings(redis_url),
        "circuits": CircuitSettings(share_s=3600.0),
    }
    scope, named = (pb.ProviderScope(provider="gigachat", model=name) for name in (MODEL, "gigachat/max"))
    async with administered(emulator, **shared) as admin, router(emulator, **shared) as other:
        assert await reason_of(other) == ""

        await admin.drain(named, drained=True)
        await until(lambda: _is(reason_of(other), ErrorReason.NO_HEALTHY_PROVIDER.value))
        found = await admin.ask(pb.ListCircuitsRequest())
        assert [(each.scope, each.reason, each.drained_by) for each in found.drains] == [(scope, "costs", "user:1")]

        await admin.drain(named, drained=False)
        await until(lambda: _is(reason_of(other), ""))
        with pytest.raises(ServiceError) as caught:
            await admin.drain(scope, drained=False)
        assert (caught.value.reason, caught.value.param) == (ErrorReason.NOT_FOUND, "provider")
        past = await admin.ask(pb.ListStatusHistoryRequest(limit=10))
        assert all(each.provider in ("gigachat", "yandexgpt") for each in past.statuses)


async def test_a_catalogue_order_given_to_one_router_counts_on_another(
    emulator: RunningEmulator, make_database_dsn: MakeDatabaseDsn, redis_url: str
) -> None:
    """Said over Redis: the other looks into the tables once an hour only."""
    shared = {
        "postgres": postgres_settings(await make_database_dsn("router")),
        "redis": redis_settings(redis_url),
        "circuits": CircuitSettings(share_s=3600.0),
        "overrides_s": 3600.0,
    }
    off = pb.SetOverrideRequest(model="gigachat/max", patch_json=b'{"enabled": false}', ordered_by="user:1")
    async with administered(emulator, **shared) as admin, router(emulator, **shared) as other:
        assert await reason_of(other) == ""

        said = (await admin.ask(off)).override
        await until(lambda: _is(reason_of(other), ErrorReason.MODEL_NOT_FOUND.value))
        found = await admin.ask(pb.ListOverridesRequest())
        assert (said.model, list(found.overrides), list(found.history)) == (MODEL, [said], [said])
        await admin.ask(pb.RemoveOverrideRequest(model=MODEL, ordered_by="user:1"))
        await until(lambda: _is(reason_of(other), ""))

        price = (await admin.ask(pb.AddPriceRequest(price=to_come()))).price
        assert list((await admin.ask(pb.ListPricesRequest(model=price.model))).prices)[-1] == price
        await until(lambda: _has_price(other, price.version))
        moved = pb.MoveChannelRequest(channel=MODEL, model="GigaChat-2-Pro", since=price.valid_from, moved_by="user:1")
        assert (await admin.ask(moved)).channel == MODEL


def to_come() -> pb.CatalogPrice:
    """Return a price from some day of next year on."""
    price = pb.CatalogPrice(model="GigaChat-2-Max", input_micro_rub_per_1k=1, output_micro_rub_per_1k=2, ordered_by="a")
    price.valid_from.FromDatetime(datetime.now(UTC) + timedelta(days=400))
    return price


async def _has_price(stub: Stub, version: str) -> bool:
    listing = await rpc_client.unary(stub.rpcs.ListModels, router_pb2.ListModelsRequest(), deadline_s=LONG_S)
    return any(price.version == version for model in listing.models for price in model.prices)


async def _is(asked: Awaitable[str], expected: str) -> bool:
    return await asked == expected


@pytest.mark.parametrize(
    ("scope", "param", "known"),
    [
        (pb.ProviderScope(provider="gigachad"), "provider", "gigachat, yandexgpt"),
        (pb.ProviderScope(provider="gigachat", model="yandexgpt:latest"), "model", "gigachat-max, gigachat-pro"),
    ],
)
async def test_what_is_not_there_is_named_with_what_is(
    emulator: RunningEmulator, scope: pb.ProviderScope, param: str, known: str
) -> None:
    """A typing error must not drain nothing in silence."""
    async with administered(emulator) as admin:
        for request in (pb.ResetCircuitsRequest(scope=scope), pb.SetDrainedRequest(scope=scope, drained=True)):
            with pytest.raises(ServiceError) as caught:
                await admin.ask(request)
            assert (caught.value.reason, caught.value.param) == (ErrorReason.NOT_FOUND, param)
            assert known in caught.value.message


@pytest.mark.parametrize(
    ("order", "param"),
    [
        (pb.MoveChannelRequest(channel=MODEL, model="GigaChat-2-Pro", since=BEYOND), "since"),
        (pb.AddPriceRequest(price=pb.CatalogPrice(model="GigaChat-2-Max", valid_from=BEYOND)), "valid_from"),
    ],
)
async def test_a_moment_beyond_the_calendar_is_refused_by_name(
    emulator: RunningEmulator, order: Any, param: str
) -> None:
    """It was a fault of ours: a Timestamp can say more than a calendar holds."""
    async with administered(emulator) as admin:
        with pytest.raises(ServiceError) as caught:
            await admin.ask(order)

    assert (caught.value.reason, caught.value.param) == (ErrorReason.INVALID_PARAMETERS, param)


async def test_without_postgresql_circuits_are_reset_and_orders_that_must_last_are_refused(
    emulator: RunningEmulator,
) -> None:
    """A drain that a restart would forget is none."""
    scope = pb.ProviderScope(provider="gigachat")
    async with administered(emulator) as admin:
        assert list((await admin.ask(pb.ResetCircuitsRequest(scope=scope))).reset) == []
        for request in (
            pb.SetDrainedRequest(scope=scope, drained=True),
            pb.SetDrainedRequest(scope=scope),
            pb.ListCircuitsRequest(),
            pb.ListStatusHistoryRequest(limit=1),
            pb.SetOverrideRequest(model=MODEL, patch_json=b'{"enabled": false}'),
            pb.RemoveOverrideRequest(model=MODEL),
            pb.ListOverridesRequest(),
            pb.AddPriceRequest(price=to_come()),
            pb.MoveChannelRequest(channel=MODEL, model="GigaChat-2-Pro", since=to_come().valid_from),
        ):
            with pytest.raises(ServiceError) as caught:
                await admin.ask(request)
            assert caught.value.reason is ErrorReason.DATABASE_ERROR
