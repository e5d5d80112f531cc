"""Who gets which instance; start and stop order."""

from __future__ import annotations

import functools
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
from razvilka.router.v1 import admin_pb2_grpc, batches_pb2_grpc, personal_data_pb2_grpc, router_pb2_grpc
from redis.asyncio import Redis

from servicekit import lifecycle, postgres, redis, telemetry
from servicekit.clock import Clock, SystemClock
from servicekit.rpc_server import running_server
from servicekit.trust.callers import CallPolicy
from servicekit.trust.in_their_name import InTheirName
from servicekit.trust.user_context import ContextCheck
from services.router.admin_rpc import RouterAdminServicer
from services.router.batch_rpc import BatchRoom, BatchServicer
from services.router.batches.applications import Applications
from services.router.batches.ending import BatchEnding
from services.router.batches.files import CallerFiles
from services.router.batches.orders import BatchOrders
from services.router.batches.sealing import Sealing
from services.router.batches.store.applications import ApplicationStore
from services.router.batches.store.batches import BatchStore
from services.router.batches.store.deferred_calls import DeferredCallStore
from services.router.batches.store.files import FileStore
from services.router.batches.work import BatchWork
from services.router.cache import ChannelCache, RedisTokenShare
from services.router.callers import BATCHES_IN_THEIR_NAME, CALLERS, IN_THEIR_NAME, PERSONAL_DATA_IN_THEIR_NAME
from services.router.catalog.administration import CatalogAdministration
from services.router.catalog.build import CatalogError
from services.router.catalog.files import CatalogFiles
from services.router.catalog.live import LiveCatalog
from services.router.circuits.channel import NewsChannel
from services.router.circuits.circuits import Circuits
from services.router.circuits.retries import RetryBudgets
from services.router.circuits.sharing import CircuitSharing
from services.router.circuits.store import CircuitStore
from services.router.personal_data.rpc import PersonalDataServicer
from services.router.personal_data.store import PersonalData
from services.router.providers.key_renewal import KeyRenewal
from services.router.providers.registry import Dependencies, built_in_providers, file_store
from services.router.providers.table import ProviderTable, file_ids, sealing_key, tool_call_ids
from services.router.providers.transport.http import open_http
from services.router.providers.transport.web_images import open_web_images
from services.router.routing.attempts import Attempts
from services.router.routing.files import FileService
from services.router.routing.limits import Limits
from services.router.routing.service import RouterService
from services.router.routing.tokenizing import Tokenizing
from services.router.rpc import RouterServicer
from services.router.settings import RouterSettings
from services.router.slots.exchange import RedisExchange
from services.router.slots.lines import SlotLines, listen
from services.router.status.administration import ProviderAdministration
from services.router.status.domain.health import HealthTracker
from services.router.status.reporter import StatusReporter
from services.router.status.store import StatusStore
from services.router.store import Pool, RouterStore


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
        images = await opened.enter_async_context(open_web_images(settings.images))
        jobs = await opened.enter_async_context(lifecycle.background())
        cleanup = await opened.enter_async_context(lifecycle.background(grace_s=5.0))
        store, health = RouterStore(pool), HealthTracker()
        # Chance spreads retries and probes; it needs no secrecy.
        rng = random.Random()  # noqa: S311
        circuits, retries = Circuits(settings.circuits, clock, rng), RetryBudgets(settings.circuits, clock)
        channel = NewsChannel(client, uuid.uuid4().hex)
        found, seen = CircuitStore(pool), StatusStore(pool)
        sharing = CircuitSharing(circuits, found, channel, clock)
        statuses = StatusReporter(health, circuits, seen, channel, clock, history_days=settings.status_history_days)
        sharing.on_seen = statuses.hear
        catalog = _catalog(settings, store, ChannelCache(client), clock)
        sharing.on_orders = catalog.look_at_overrides
        ids = tool_call_ids(settings.tool_call_key, settings)
        made = file_ids(settings.tool_call_key, settings)
        lines = await opened.enter_async_context(_lines(client, clock, settings))
        share, deferred = RedisTokenShare(client), DeferredCallStore(pool, clock)
        needs = Dependencies(http, ids, share, cleanup, clock, uuid.uuid4, images, made, lines, deferred)
        table = ProviderTable(built_in_providers(settings, needs), http, ids, clock, lines, circuits.pools.set)
        table.take_over(catalog.contents.upstreams)
        catalog.on_files(lambda files: table.take_over(files.upstreams))
        jobs.keep(lambda: catalog.watch_files(settings.reload_s), name="catalog.files")
        renewal = KeyRenewal(settings, needs, table)
        jobs.keep(lambda: renewal.watch(settings.reload_s, clock), name="provider.keys")
        jobs.keep(lambda: catalog.watch_overrides(settings.overrides_s), name="catalog.overrides")
        jobs.keep(sharing.tell, name="circuits.tell")
        jobs.keep(sharing.listen, name="circuits.listen")
        jobs.keep(lambda: sharing.watch(settings.circuits.share_s), name="circuits.watch")
        jobs.keep(lambda: statuses.run(settings.status_s, catalog.current), name="provider_status")
        limits = Limits(
            settings.http.first_token_s,
            settings.choices_max,
            settings.http.answer_s,
            settings.tokenizer_s,
            settings.tokenizer_cache,
        )
        attempts = Attempts(table.providers, health, circuits, retries, clock, rng)
        service = RouterService(catalog, attempts, statuses, clock, limits)
        files = FileService(lambda: file_store(table.providers), made)
        tokenizing = Tokenizing(catalog, table.providers, service.counts, clock, limits)
        servicer = RouterServicer(service, tokenizing, files, settings.multiplex)
        checked: Any = InTheirName(servicer, IN_THEIR_NAME, ContextCheck(settings.tls, "router", clock))
        orders = ProviderAdministration(circuits, sharing, (found, seen), catalog.current, clock)
        catalogue = CatalogAdministration(catalog, store, sharing.announce, clock)
        sealing = Sealing(sealing_key(settings.tool_call_key, settings))
        jobs.keep(BatchEnding(pool, sealing, settings.batches, clock).run, name="batches.ending")
        batches: Any = InTheirName(
            BatchServicer(_batch_room(pool, sealing, settings, clock)),
            BATCHES_IN_THEIR_NAME,
            ContextCheck(settings.tls, "router", clock),
        )
        personal_data: Any = InTheirName(
            PersonalDataServicer(PersonalData(pool)),
            PERSONAL_DATA_IN_THEIR_NAME,
            ContextCheck(settings.tls, "router", clock),
        )
        register = functools.partial(_register, checked, RouterAdminServicer(orders, catalogue), batches, personal_data)
        policy = CallPolicy(CALLERS)
        served = running_server(settings.grpc, register, _ready, policy, settings.tls)
        port = await opened.enter_async_context(served)
        # Before the server's stop, which waits for what is in hand: the gateways take new calls elsewhere.
        opened.callback(servicer.drain)
        yield port


@asynccontextmanager
async def _lines(client: Redis, clock: Clock, settings: RouterSettings) -> AsyncIterator[SlotLines]:
    """Yield the lines for providers' slots; every slot is given back when the last call has ended."""
    async with lifecycle.background() as tasks:
        lines = SlotLines(RedisExchange(client), tasks, clock, settings.slots)
        tasks.keep(lambda: listen(client, lines, clock), name="slots.listen")
        yield lines
    await lines.leave()


def _batch_room(pool: Pool, sealing: Sealing, settings: RouterSettings, clock: Clock) -> BatchRoom:
    files = CallerFiles(FileStore(pool), sealing, settings.batches, clock)
    return BatchRoom(
        files,
        BatchOrders(BatchStore(pool), files, settings.batches, clock),
        BatchWork(pool, sealing, settings.batches, clock),
        Applications(ApplicationStore(pool), clock),
    )


def _register(
    calls: Any, orders: RouterAdminServicer, batches: Any, personal_data: Any, server: grpc.aio.Server
) -> None:
    personal_data_pb2_grpc.add_PersonalDataServiceServicer_to_server(personal_data, server)
    batches_pb2_grpc.add_BatchServiceServicer_to_server(batches, server)
    router_pb2_grpc.add_RouterServiceServicer_to_server(calls, server)
    admin_pb2_grpc.add_RouterAdminServiceServicer_to_server(orders, server)


def _catalog(settings: RouterSettings, store: RouterStore, channels: ChannelCache, clock: Clock) -> LiveCatalog:
    try:
        files = CatalogFiles(settings.catalog_dir, settings.upstreams_file, settings.extra_models_file)
        return LiveCatalog(files, store, channels, clock)
    except CatalogError as exc:
        raise SystemExit(f"bad catalogue:\n  {exc}") from exc


async def _ready() -> bool:
    """Always: the router answers without PostgreSQL and without Redis."""
    return True
