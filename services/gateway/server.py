"""The composition root: settings -> clients -> admission -> metering -> app -> serve, and the way back."""

from __future__ import annotations

import asyncio
import math
import socket
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

import structlog
import uvicorn
from fastapi import FastAPI
from redis.asyncio import Redis

from servicekit import lifecycle, telemetry
from servicekit.clock import Clock, SystemClock
from servicekit.lifecycle import Background
from servicekit.redis import open_redis
from servicekit.rpc_client import Peer, open_channel
from services.gateway import metrics
from services.gateway.admission.admission import open_admission
from services.gateway.admission.holds import Holds
from services.gateway.admission.options import AdmissionOptions
from services.gateway.app import Parts, build_app
from services.gateway.clients.accounts import AccountClient
from services.gateway.clients.auth import AuthClient
from services.gateway.clients.catalog import CatalogWatch
from services.gateway.clients.grants import GrantClient
from services.gateway.clients.oauth import OAuthClient
from services.gateway.clients.router import RouterClient
from services.gateway.clients.usage import UsageClient
from services.gateway.edge import cancellation
from services.gateway.edge.cancellation import Cancellations
from services.gateway.edge.http_protocol import with_limits
from services.gateway.edge.readiness import Check, Readiness
from services.gateway.identity.access_tokens import AccessTokenVerifier
from services.gateway.identity.address_limit import OAuthLimit
from services.gateway.identity.authentication import Authenticator
from services.gateway.identity.key_cache import KeyCache
from services.gateway.identity.key_sets import KeyRing
from services.gateway.identity.revocations import Ending, RevocationListener, RevocationPoller
from services.gateway.identity.revoked import Revoked
from services.gateway.inference.paid_call import PaidCalls
from services.gateway.metering.metering import Metering, open_metering
from services.gateway.metering.options import MeteringOptions
from services.gateway.settings import GatewaySettings

log = structlog.get_logger()

# Between "cut the streams" and the end: error events go out, journals drain.
CUT_BEFORE_END_S = 10.0
SETTLE_GRACE_S = 5.0


async def serve(settings: GatewaySettings) -> None:
    """Serve until a signal comes, then stop as a good neighbour does."""
    telemetry.configure("gateway", settings.telemetry)
    telemetry.serve_metrics(settings.metrics)
    async with open_gateway(settings) as gateway:
        log.info("gateway.listening", host=settings.host, port=gateway.port)
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


@dataclass(frozen=True, slots=True)
class Clients:
    """The three services behind the gateway; auth has several faces."""

    auth: AuthClient
    oauth: OAuthClient
    grants: GrantClient
    accounts: AccountClient
    router: RouterClient
    usage: UsageClient


@asynccontextmanager
async def open_gateway(settings: GatewaySettings, clock: Clock | None = None) -> AsyncIterator[Gateway]:
    """Yield a gateway that listens; leaving the block stops it gracefully, within `grace_s`."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(open_redis(settings.redis))
        clients = await _open_clients(stack, settings)
        gate, metering, settling = await _open_paid_calls(stack, settings, redis, clients, clock)
        catalog = CatalogWatch(
            clients.router.list_models,
            clock=clock,
            refresh_s=settings.catalog_refresh_s,
            max_age_s=settings.catalog_max_age_s,
        )
        identity = _identity(settings, redis, clients, clock)
        readiness = Readiness(_checks(clients, catalog, metering), clock)
        parts = Parts(
            settings=settings,
            authenticator=identity.authenticator,
            catalog=catalog,
            router=clients.router,
            usage=clients.usage,
            paid_calls=gate,
            readiness=readiness,
            auth=clients.auth,
            oauth=clients.oauth,
            grants=clients.grants,
            accounts=clients.accounts,
            ring=identity.ring,
            limit=OAuthLimit(
                redis, clock, per_minute=settings.oauth.requests_per_minute, trusted=settings.trusted_networks
            ),
            cancellations=Cancellations(),
            tasks=settling,
            clock=clock,
        )
        app = build_app(parts)
        work = await stack.enter_async_context(lifecycle.background())
        work.start(catalog.run(), name="catalog")
        work.start(identity.ring.run(), name="jwks")
        work.start(identity.listener.run(), name="revocations")
        work.start(identity.poller.run(), name="revocations_asked")
        work.start(readiness.run(), name="readiness")
        port = await stack.enter_async_context(_listening(app, parts))
        yield Gateway(port, app, readiness, parts.cancellations, catalog)


async def _open_clients(stack: AsyncExitStack, settings: GatewaySettings) -> Clients:
    auth, router, usage = [
        await stack.enter_async_context(open_channel(target, _peer(settings, service)))
        for service, target in (
            ("auth", settings.auth_target),
            ("router", settings.router_target),
            ("usage", settings.usage_target),
        )
    ]
    return Clients(
        AuthClient(auth, deadline_s=settings.auth_timeout_s),
        OAuthClient(auth, deadline_s=settings.auth_timeout_s),
        GrantClient(auth, deadline_s=settings.auth_timeout_s),
        AccountClient(auth, deadline_s=settings.account_timeout_s),
        RouterClient(router),
        UsageClient(usage),
    )


def _peer(settings: GatewaySettings, service: str) -> Peer | None:
    return None if settings.tls.dir is None else Peer(service, settings.tls.dir)


@dataclass(frozen=True, slots=True)
class _Identity:
    """Who calls, and how it is heard that somebody may not any more."""

    authenticator: Authenticator
    ring: KeyRing
    listener: RevocationListener
    poller: RevocationPoller


def _identity(settings: GatewaySettings, redis: Redis, clients: Clients, clock: Clock) -> _Identity:
    fresh_s, stale_s = settings.key_cache_s, settings.key_stale_s
    keys = KeyCache(clock, fresh_s=fresh_s, stale_s=stale_s)
    grants = KeyCache(clock, fresh_s=fresh_s, stale_s=stale_s, outcomes=metrics.GRANT_OUTCOMES)
    revoked = Revoked(clock)
    ring = KeyRing(clients.oauth.get_keys, clock, max_age_s=settings.jwks_max_age_s)
    tokens = AccessTokenVerifier(ring, clients.oauth.get_grant, grants, revoked, clock)
    ending = Ending(keys, grants, revoked, clock)
    return _Identity(
        Authenticator(clients.auth.verify_api_key, keys, tokens, trusted=settings.trusted_networks),
        ring,
        RevocationListener(redis, ending, clock),
        RevocationPoller(redis, clients.oauth.list_revocations, ending, clock),
    )


async def _open_paid_calls(
    stack: AsyncExitStack, settings: GatewaySettings, redis: Redis, clients: Clients, clock: Clock
) -> tuple[PaidCalls, Metering, Background]:
    boot_id = uuid.uuid4().hex
    admission = await stack.enter_async_context(
        open_admission(
            redis, clients.usage.get_spend, boot_id=boot_id, options=_admission_options(settings), clock=clock
        )
    )
    metering = await stack.enter_async_context(
        open_metering(
            settings.journal_dir,
            redis,
            clients.usage.record,
            admission,
            Holds(redis),
            boot_id=boot_id,
            options=_metering_options(settings),
            clock=clock,
        )
    )
    settling = await stack.enter_async_context(lifecycle.background(grace_s=SETTLE_GRACE_S))
    return PaidCalls(admission, metering, boot_id=boot_id, clock=clock, tasks=settling), metering, settling


def _checks(clients: Clients, catalog: CatalogWatch, metering: Metering) -> dict[str, Check]:
    async def has_catalog() -> bool:
        return catalog.is_ready

    async def has_journal() -> bool:
        return metering.is_ready

    # Not usage and not Redis: without them requests are served all the same, and settled later.
    return {
        "auth": clients.auth.is_serving,
        "router": clients.router.is_serving,
        "catalog": has_catalog,
        "journal": has_journal,
    }


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the lifecycle has them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@asynccontextmanager
async def _listening(app: FastAPI, parts: Parts) -> AsyncIterator[int]:
    settings = parts.settings
    listener = socket.create_server((settings.host, settings.port), backlog=2048, reuse_port=False)
    port: int = listener.getsockname()[1]
    server = _Server(_uvicorn_config(app, settings))
    async with lifecycle.background(grace_s=5.0) as owner:
        serving = owner.start(server.serve(sockets=[listener]), name="http")
        try:
            yield port
        finally:
            parts.readiness.stop()
            server.should_exit = True
            loop = asyncio.get_running_loop()
            timer = loop.call_later(
                max(0.0, settings.grace_s - CUT_BEFORE_END_S), parts.cancellations.end_all, cancellation.SHUTDOWN
            )
            await asyncio.wait({serving}, timeout=settings.grace_s + 5.0)
            timer.cancel()


def _uvicorn_config(app: FastAPI, settings: GatewaySettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        # httptools by name: without it uvicorn would silently take a parser three times as slow.
        http=with_limits(settings.limit),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # X-Forwarded-For is read by `authn`, from trusted proxies only.
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=math.ceil(settings.grace_s),
    )


def _admission_options(settings: GatewaySettings) -> AdmissionOptions:
    told = settings.admission
    return AdmissionOptions(
        lease_s=told.lease_s,
        renew_every_s=told.lease_s / 3,
        replicas=told.replicas,
        reconcile_every_s=told.reconcile_every_s,
    )


def _metering_options(settings: GatewaySettings) -> MeteringOptions:
    told = settings.metering
    return MeteringOptions(reap_every_s=told.reap_every_s, reap_grace_s=told.reap_grace_s)
