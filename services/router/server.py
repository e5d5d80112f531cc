"""Who gets which instance; start and stop order."""

from __future__ import annotations

import functools
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from razvilka.router.v1 import router_pb2_grpc

from servicekit import lifecycle, postgres, redis, telemetry
from servicekit.clock import Clock, SystemClock
from servicekit.rpc_server import running_server
from services.router.attempts import Attempts
from services.router.cache import ChannelCache, RedisTokenShare
from services.router.catalog.build import CatalogError
from services.router.catalog.files import CatalogFiles
from services.router.domain.health import HealthBoard
from services.router.live_catalog import LiveCatalog
from services.router.provider_table import ProviderTable, built_in_providers
from services.router.providers.http import open_http
from services.router.rpc import RouterServicer
from services.router.service import Limits, RouterService
from services.router.settings import RouterSettings
from services.router.status_reporter import StatusReporter
from services.router.store import RouterStore


async def serve(settings: RouterSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    telemetry.configure("router", settings.telemetry)
    telemetry.serve_metrics(settings.metrics)
    async with running(settings, SystemClock()):
        await lifecycle.stop_requested()


@asynccontextmanager
async def running(settings: RouterSettings, clock: Clock) -> AsyncIterator[int]:
    """Serve while the block runs; yield the port.

    Raises:
        SystemExit: the catalogue is wrong; the message names file and field.
    """
    async with AsyncExitStack() as opened:
        pool = await opened.enter_async_context(postgres.open_pool(settings.postgres))
        client = await opened.enter_async_context(redis.open_redis(settings.redis))
        http = await opened.enter_async_context(open_http(settings.http))
        jobs = await opened.enter_async_context(lifecycle.background())
        leftovers = await opened.enter_async_context(lifecycle.background(grace_s=5.0))
        store, board = RouterStore(pool), HealthBoard()
        catalog = _catalog(settings, store, ChannelCache(client), clock)
        built_in = built_in_providers(settings, http, RedisTokenShare(client), leftovers, clock)
        table = ProviderTable(built_in, settings, http, clock)
        table.take_over(catalog.contents.upstreams)
        catalog.on_files(lambda files: table.take_over(files.upstreams))
        statuses = StatusReporter(board, store, clock)
        jobs.start(catalog.watch_files(settings.reload_s), name="catalog.files")
        jobs.start(catalog.watch_overrides(settings.overrides_s), name="catalog.overrides")
        jobs.start(statuses.run(settings.status_s), name="provider_status")
        limits = Limits(settings.http.first_token_s, settings.choices_max)
        # Chance spreads retries; it needs no secrecy.
        attempts = Attempts(table.providers, board, clock, random.Random())  # noqa: S311
        # It does not answer Converse yet: the generated base class does, with UNIMPLEMENTED.
        servicer = RouterServicer(RouterService(catalog, attempts, statuses, clock, limits))  # type: ignore[abstract]
        register = functools.partial(router_pb2_grpc.add_RouterServiceServicer_to_server, servicer)
        yield await opened.enter_async_context(running_server(settings.grpc, register, _ready))


def _catalog(settings: RouterSettings, store: RouterStore, channels: ChannelCache, clock: Clock) -> LiveCatalog:
    try:
        return LiveCatalog(CatalogFiles(settings.catalog_dir, settings.upstreams_file), store, channels, clock)
    except CatalogError as exc:
        raise SystemExit(f"bad catalogue:\n  {exc}") from exc


async def _ready() -> bool:
    """Always: the router answers without PostgreSQL and without Redis."""
    return True
