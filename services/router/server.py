"""Composition root: which instance gets which, and the order of start and stop."""

from __future__ import annotations

import random
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
from razvilka.router.v1.admin_pb2_grpc import add_RouterAdminServiceServicer_to_server
from razvilka.router.v1.batches_pb2_grpc import add_BatchServiceServicer_to_server
from razvilka.router.v1.personal_data_pb2_grpc import add_PersonalDataServiceServicer_to_server
from razvilka.router.v1.router_pb2_grpc import add_RouterServiceServicer_to_server
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
from services.router.callers import CALLERS, IN_THEIR_NAME
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
        lines = await opened.enter_async_context(_lines(client, clock, settings))
        store, circuit_store, status_store = RouterStore(pool), CircuitStore(pool), StatusStore(pool)
        channel = NewsChannel(client, uuid.uuid4().hex)
        # Chance spreads retries and probes; it needs no secrecy.
        rng = random.Random()  # noqa: S311
        health = HealthTracker()
        circuits, retries = Circuits(settings.circuits, clock, rng), RetryBudgets(settings.circuits, clock)
        sharing = CircuitSharing(circuits, circuit_store, channel, clock)
        statuses = StatusReporter(
            health, circuits, status_store, channel, clock, history_days=settings.status_history_days
        )
        sharing.on_seen = statuses.hear
        catalog = _catalog(settings, store, ChannelCache(client), clock)
        sharing.on_orders = catalog.look_at_overrides
        call_ids, made_file_ids = (
            tool_call_ids(settings.tool_call_key, settings),
            file_ids(settings.tool_call_key, settings),
        )
        share, deferred = RedisTokenShare(client), DeferredCallStore(pool, clock)
        needs = Dependencies(http, call_ids, share, cleanup, clock, uuid.uuid4, images, made_file_ids, lines, deferred)
        table = ProviderTable(built_in_providers(settings, needs), http, call_ids, clock, lines, circuits.pools.set)
        table.take_over(catalog.contents.upstreams)
        catalog.on_files(lambda files: table.take_over(files.upstreams))
        renewal = KeyRenewal(settings, needs, table)
        limits = Limits(
            settings.http.first_token_s,
            settings.choices_max,
            settings.http.answer_s,
            settings.tokenizer_s,
            settings.tokenizer_cache,
        )
        attempts = Attempts(table.providers, health, circuits, retries, clock, rng)
        service = RouterService(catalog, attempts, statuses, clock, limits)
        servicer = RouterServicer(
            service,
            Tokenizing(catalog, table.providers, service.counts, clock, limits),
            FileService(lambda: file_store(table.providers), made_file_ids),
            settings.multiplex,
        )
        administration = RouterAdminServicer(
            ProviderAdministration(circuits, sharing, (circuit_store, status_store), catalog.current, clock),
            CatalogAdministration(catalog, store, sharing.announce, clock),
        )
        sealing = Sealing(sealing_key(settings.tool_call_key, settings))
        work: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "catalog.files": lambda: catalog.watch_files(settings.reload_s),
            "provider.keys": lambda: renewal.watch(settings.reload_s, clock),
            "catalog.overrides": lambda: catalog.watch_overrides(settings.overrides_s),
            "circuits.tell": sharing.tell,
            "circuits.listen": sharing.listen,
            "circuits.watch": lambda: sharing.watch(settings.circuits.share_s),
            "provider_status": lambda: statuses.run(settings.status_s, catalog.current),
            "batches.ending": BatchEnding(pool, sealing, settings.batches, clock).run,
        }
        for name, run in work.items():
            jobs.keep(run, name=name)
        # How each is registered, and what answers.
        served: tuple[tuple[Callable[[Any, grpc.aio.Server], None], object], ...] = (
            (add_RouterServiceServicer_to_server, servicer),
            (add_RouterAdminServiceServicer_to_server, administration),
            (add_BatchServiceServicer_to_server, BatchServicer(_batch_room(pool, sealing, settings, clock))),
            (add_PersonalDataServiceServicer_to_server, PersonalDataServicer(PersonalData(pool))),
        )
        check = ContextCheck(settings.tls, "router", clock)

        def register(server: grpc.aio.Server) -> None:
            for add, answering in served:
                add(InTheirName(answering, IN_THEIR_NAME, check), server)

        policy = CallPolicy(CALLERS)
        port = await opened.enter_async_context(running_server(settings.grpc, register, _ready, policy, settings.tls))
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


def _catalog(settings: RouterSettings, store: RouterStore, channels: ChannelCache, clock: Clock) -> LiveCatalog:
    try:
        files = CatalogFiles(settings.catalog_dir, settings.upstreams_file, settings.extra_models_file)
        return LiveCatalog(files, store, channels, clock)
    except CatalogError as exc:
        raise SystemExit(f"bad catalogue:\n  {exc}") from exc


async def _ready() -> bool:
    """Always: the router answers without PostgreSQL and without Redis."""
    return True
