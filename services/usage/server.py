"""Who gets which instance; what starts and stops in which order."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import grpc
from razvilka.usage.v1.catalog_facts_pb2_grpc import add_CatalogFactsServiceServicer_to_server
from razvilka.usage.v1.statistics_pb2_grpc import add_StatisticsServiceServicer_to_server
from razvilka.usage.v1.usage_pb2_grpc import add_UsageServiceServicer_to_server

from servicekit import lifecycle, telemetry
from servicekit.clock import Clock, SystemClock
from servicekit.postgres import open_pool
from servicekit.rpc_server import running_server
from servicekit.trust.callers import CallPolicy
from servicekit.trust.in_their_name import InTheirName
from servicekit.trust.user_context import ContextCheck
from services.usage.callers import CALLERS, IN_THEIR_NAME
from services.usage.catalog_facts.rpc import CatalogFactsServicer
from services.usage.catalog_facts.store import FactsStore
from services.usage.ingest import Ingest
from services.usage.rpc import UsageServicer
from services.usage.settings import UsageSettings
from services.usage.spending import Spending
from services.usage.statistics.detailed import DetailedStatistics
from services.usage.statistics.request_log import RequestLog
from services.usage.statistics.rpc import StatisticsServicer
from services.usage.statistics.store import StatisticsStore
from services.usage.store import UsageStore
from services.usage.upkeep import Upkeep
from services.usage.usage_service import UsageService


async def serve(settings: UsageSettings) -> None:
    """Serve until a signal comes. PostgreSQL may be down: the service is then up, but not ready."""
    telemetry.configure("usage", settings.telemetry)
    telemetry.serve_metrics(settings.metrics)
    async with running(settings, clock=SystemClock()):
        await lifecycle.stop_requested()


@asynccontextmanager
async def running(settings: UsageSettings, *, clock: Clock) -> AsyncIterator[int]:
    """Run the service while the block lasts; yield its port."""
    async with open_pool(settings.postgres) as pool, lifecycle.background() as tasks:
        store = UsageStore(pool)
        upkeep = Upkeep(store, settings.partitions, settings.invariants, clock=clock)
        rng = random.Random()  # noqa: S311 - it spreads retries, it guards nothing
        ingest = Ingest(store, settings.ingest, clock=clock, rng=rng)
        servicer = UsageServicer(ingest, Spending(store), upkeep)
        check = ContextCheck(settings.tls, "usage", clock)

        def checked(unchecked: Any) -> Any:
            return InTheirName(unchecked, IN_THEIR_NAME, check)

        def register(server: grpc.aio.Server) -> None:
            add_UsageServiceServicer_to_server(checked(servicer), server)
            add_CatalogFactsServiceServicer_to_server(CatalogFactsServicer(FactsStore(pool)), server)
            add_StatisticsServiceServicer_to_server(checked(_statistics(pool, clock)), server)

        policy = CallPolicy(CALLERS)
        async with running_server(settings.grpc, register, store.is_ready, policy, settings.tls) as port:
            tasks.start(upkeep.keep_partitions(), name="partitions")
            tasks.start(upkeep.keep_checking(), name="invariants")
            yield port


def _statistics(pool: asyncpg.Pool[asyncpg.Record], clock: Clock) -> StatisticsServicer:
    store = StatisticsStore(pool)
    return StatisticsServicer(UsageService(DetailedStatistics(store, clock=clock)), RequestLog(store))
