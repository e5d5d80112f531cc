"""The composition root: settings -> clients -> admission -> metering -> app -> serve, and the way back."""

from __future__ import annotations

import asyncio
import gc
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog
from fastapi import FastAPI
from redis.asyncio import Redis

from servicekit import lifecycle, telemetry
from servicekit.clock import Clock, SystemClock
from servicekit.redis import open_redis
from services.gateway.admission.admission import open_admission
from services.gateway.admission.redis.holds import Holds
from services.gateway.admission.redis.server_clock import redis_now
from services.gateway.app import build_app
from services.gateway.batches.ended_applications import EndedApplications
from services.gateway.batches.holders import Holders
from services.gateway.budgets.standing import Standings
from services.gateway.clients.catalog import CatalogWatch
from services.gateway.clients.usage_catalog_facts import CatalogFactsPush
from services.gateway.edge.cancellation import Cancellations
from services.gateway.edge.server.http_server import listening
from services.gateway.edge.server.readiness import Check, Details, Readiness
from services.gateway.identity.assembly import Identity, assemble_identity
from services.gateway.identity.key_sets import KeySet
from services.gateway.identity.known_proxies import tell_known_proxies
from services.gateway.inference import metrics
from services.gateway.inference.paid_call import PaidCalls
from services.gateway.kept_answers import Kept, assemble_kept
from services.gateway.management.credentials.key_info import Spent
from services.gateway.management.personal_export import PersonalExport
from services.gateway.metering.chores.leader_election import LeaderElection
from services.gateway.metering.journal.folder import check_journal_dir
from services.gateway.metering.metering import Metering, open_metering
from services.gateway.metering.readiness.clock_watch import ClockWatch
from services.gateway.notifications.account_sync import AccountSync
from services.gateway.room_options import admission_options, metering_options
from services.gateway.rooms import AppDependencies, batch_runner, prober
from services.gateway.service_clients import Clients, open_clients
from services.gateway.settings import GatewaySettings

log = structlog.get_logger()

SETTLE_GRACE_S = 5.0


async def serve(settings: GatewaySettings) -> None:
    """Serve until a signal comes, then stop as a good neighbour does."""
    telemetry.configure("gateway", settings.telemetry)
    telemetry.serve_metrics(settings.metrics)
    check_journal_dir(settings.journal_dir)
    async with open_gateway(settings) as gateway:
        # What was built lives as long as the process. A look over all of it would hold up everybody for 50 ms.
        gc.collect()
        gc.freeze()
        log.info("gateway.listening", host=settings.host, port=gateway.port)
        tell_known_proxies(settings.trusted_networks, is_production=settings.environment == "production")
        await lifecycle.stop_requested()
        log.info("gateway.stopping", streams=len(gateway.cancellations))


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway."""

    port: int
    app: FastAPI
    readiness: Readiness
    cancellations: Cancellations
    catalog: CatalogWatch


@asynccontextmanager
async def open_gateway(settings: GatewaySettings, clock: Clock | None = None) -> AsyncIterator[Gateway]:
    """Yield a gateway that listens; leaving the block stops it gracefully, within `grace_s`."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(open_redis(settings.redis))
        clients = await open_clients(stack, settings, clock)
        paid = await _open_paid_calls(stack, settings, redis, clients, clock)
        identity = assemble_identity(settings, redis, clients.auth, clients.oauth, clock)
        patient = await stack.enter_async_context(open_redis(settings.redis, timeout_ms=settings.kept_timeout_ms))
        kept = assemble_kept(settings, redis, patient, paid[0], clock)
        parts = _dependencies(settings, clients, identity, paid, kept, LeaderElection(redis), clock)
        app = build_app(parts)
        work = await stack.enter_async_context(lifecycle.background())
        work.keep(parts.catalog.run, name="catalog")
        push = CatalogFactsPush(clients.catalog_facts, parts.catalog, LeaderElection(redis), clock=clock)
        work.keep(lambda: push.run(every_s=settings.catalog_refresh_s), name="catalog_facts")
        work.keep(identity.key_set.run, name="jwks")
        work.keep(identity.listener.run, name="revocations")
        work.keep(identity.poller.run, name="revocations_asked")
        work.keep(identity.refusals.run, name="refusals")
        work.keep(parts.readiness.run, name="readiness")
        work.keep(parts.account_sync.serve, name="people")
        work.keep(_ended_applications(settings, clients, LeaderElection(redis), clock).serve, name="applications")
        work.keep(telemetry.watch_loop, name="event_loop")
        cancellations = parts.paid_calls.cancellations
        lines = await stack.enter_async_context(lifecycle.background(grace_s=SETTLE_GRACE_S))
        port = await stack.enter_async_context(listening(app, settings, parts.readiness, cancellations, clock))
        # The first to end: what is answered then is finished or given back, and nothing more is taken.
        taking = await stack.enter_async_context(lifecycle.background())
        if settings.batches.parallel:
            runner = batch_runner(parts, uuid.uuid4().hex, lines)
            taking.keep(runner.run, name="batches")
            taking.keep(runner.renew, name="batches.renew")
        if settings.probes.every_s:
            taking.keep(prober(parts, app, LeaderElection(redis)).serve, name="probes")
        yield Gateway(port, app, parts.readiness, cancellations, parts.catalog)


def _catalog(settings: GatewaySettings, clients: Clients, clock: Clock) -> CatalogWatch:
    return CatalogWatch(
        clients.router.list_models,
        clock=clock,
        refresh_s=settings.catalog_refresh_s,
        max_age_s=settings.catalog_max_age_s,
    )


def _ended_applications(
    settings: GatewaySettings, clients: Clients, election: LeaderElection, clock: Clock
) -> EndedApplications:
    return EndedApplications(
        election,
        clients.owners.get_makers,
        clients.router.applications,
        clock=clock,
        every_s=settings.tell_people_every_s,
    )


def _dependencies(
    settings: GatewaySettings,
    clients: Clients,
    identity: Identity,
    paid: tuple[PaidCalls, Metering],
    kept: Kept,
    election: LeaderElection,
    clock: Clock,
) -> AppDependencies:
    catalog, (paid_calls, metering) = _catalog(settings, clients, clock), paid
    return AppDependencies(
        settings=settings,
        authenticator=identity.authenticator,
        possession=identity.possession,
        catalog=catalog,
        router=clients.router,
        usage=clients.usage,
        statistics=clients.statistics,
        forecasts=clients.forecasts,
        insights=clients.insights,
        reports=clients.reports,
        notifications=clients.notifications,
        account_sync=AccountSync(
            election,
            clients.owners,
            clients.notifications,
            catalog,
            clients.budgets.memberships,
            clock=clock,
            every_s=settings.tell_people_every_s,
        ),
        auth=clients.auth,
        oauth=clients.oauth,
        grants=clients.grants,
        accounts=clients.accounts,
        export=PersonalExport(clients.accounts, clients.personal_data),
        administration=clients.administration,
        people=clients.people,
        budgets=clients.budgets,
        spent=Spent(kept.counts, clients.usage, paid_calls.begin_counting, clock),
        standings=Standings(kept.counts, clients.spend.spend_of, clock),
        key_set=identity.key_set,
        limit=identity.limit,
        refusals=identity.refusals,
        holders=Holders(identity.keys, clients.auth.key_holder, identity.grants, clients.oauth.get_grant),
        batch_news=asyncio.Event(),
        paid_calls=paid_calls,
        kept_responses=kept.responses,
        explanations=kept.explanations,
        probes=kept.probes,
        idempotency=kept.idempotency,
        cache=kept.cache,
        readiness=Readiness(
            _checks(clients, catalog, identity.key_set, metering),
            clock,
            _details(metering, catalog),
            # Keys and grants that are known are believed for so long: it is PostgreSQL that is away, nearly always.
            {"auth": settings.key_stale_s},
        ),
        clock=clock,
    )


async def _open_paid_calls(
    stack: AsyncExitStack, settings: GatewaySettings, redis: Redis, clients: Clients, clock: Clock
) -> tuple[PaidCalls, Metering]:
    boot_id = uuid.uuid4().hex
    admission = await stack.enter_async_context(
        open_admission(redis, clients.spend.spend_of, boot_id=boot_id, options=admission_options(settings), clock=clock)
    )

    async def auth_now() -> float | None:
        return (await clients.oauth.get_keys()).now_s

    clock_watch = ClockWatch(
        {"Redis": redis_now(redis), "usage": clients.usage.now},
        clock,
        # Tokens of an auth that is ahead are not valid yet; keys need no clock of its.
        told={"auth": auth_now},
        bound_s=settings.metering.clock_bound_s,
    )
    metering = await stack.enter_async_context(
        open_metering(
            settings.journal_dir,
            LeaderElection(redis),
            clients.usage.record,
            admission,
            Holds(redis),
            boot_id=boot_id,
            options=metering_options(settings),
            clock=clock,
            clock_watch=clock_watch,
            count=metrics.count,
        )
    )
    watching = await stack.enter_async_context(lifecycle.background())
    watching.keep(clock_watch.serve, name="clock_watch")
    settling = await stack.enter_async_context(lifecycle.background(grace_s=SETTLE_GRACE_S))
    paid_calls = PaidCalls(
        admission, metering, settings, boot_id=boot_id, clock=clock, tasks=settling, cancellations=Cancellations()
    )
    return paid_calls, metering


def _checks(clients: Clients, catalog: CatalogWatch, key_set: KeySet, metering: Metering) -> dict[str, Check]:
    async def has_token_keys() -> bool:
        return key_set.is_ready

    async def has_catalog() -> bool:
        return catalog.is_ready

    async def has_journal() -> bool:
        return metering.is_ready

    # Not usage and not Redis: without them requests are served all the same, and settled later.
    return {
        "auth": clients.auth.is_serving,
        "router": clients.router.is_serving,
        "token_keys": has_token_keys,
        "catalog": has_catalog,
        "journal": has_journal,
    }


def _details(metering: Metering, catalog: CatalogWatch) -> Details:
    def details() -> dict[str, str]:
        told = {"journal": [*metering.health.problems(), *metering.health.warnings()], "catalog": catalog.refused}
        return {part: "; ".join(found) for part, found in told.items() if found}

    return details
