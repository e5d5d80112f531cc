"""Who gets which instance; start and stop order."""

from __future__ import annotations

import functools
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Final, TypeAlias

import asyncpg
import grpc
import structlog
from razvilka.auth.v1 import account_pb2_grpc, auth_pb2_grpc, oauth_pb2_grpc

from servicekit import lifecycle, postgres, redis, telemetry
from servicekit.clock import Clock, SystemClock
from servicekit.errors import ServiceError
from servicekit.lifecycle import Background
from servicekit.rpc_server import running_server
from servicekit.trust.callers import CallPolicy
from services.auth.account_assembly import Accounts, AccountSurroundings, assemble_accounts
from services.auth.audit import AuditCheck
from services.auth.cache import RevocationChannel
from services.auth.callers import CALLERS
from services.auth.domain.session import Sessions
from services.auth.keys import ApiKeys
from services.auth.last_use import LastUse
from services.auth.oauth_assembly import AuthorizationServer, Surroundings, assemble
from services.auth.pepper_census import PepperCensus
from services.auth.revocation import RevocationFeed
from services.auth.rpc import AuthServicer
from services.auth.settings import AuthSettings, UpkeepSettings
from services.auth.store.audit import AuditStore
from services.auth.store.keys import KeyStore
from services.auth.store.oauth_of_user import OAuthOfUser
from services.auth.store.readiness import is_migrated
from services.auth.store.revocations import RevocationStore
from services.auth.store.users import UserStore
from services.auth.upkeep import repeat
from services.auth.users import Users
from services.auth.verification import KeyVerifier

log = structlog.get_logger()

# Often enough that a key is published in time: jwks_max_age_s is at least as long.
SIGNING_KEYS_EVERY_S: Final = 60.0

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def serve(settings: AuthSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    telemetry.configure("auth", settings.telemetry)
    telemetry.serve_metrics(settings.metrics)
    async with running(settings, SystemClock()):
        await lifecycle.stop_requested()


@asynccontextmanager
async def running(settings: AuthSettings, clock: Clock, *, sessions: Sessions | None = None) -> AsyncIterator[int]:
    """Serve while the block runs; yield the port. `sessions` tell OAuth who is logged in."""
    async with AsyncExitStack() as opened:
        pool = await opened.enter_async_context(postgres.open_pool(settings.postgres))
        client = await opened.enter_async_context(redis.open_redis(settings.redis))
        # Left in the opposite order: no more calls, then what they left to do, the jobs, the last write, the pools.
        last_use = LastUse(KeyStore(pool))
        opened.push_async_callback(_flush_at_end, last_use)
        jobs = await opened.enter_async_context(lifecycle.background())
        leftovers = await opened.enter_async_context(lifecycle.background(grace_s=5.0))
        keep = timedelta(seconds=settings.upkeep.revocation_keep_s)
        feed = RevocationFeed(RevocationStore(pool), RevocationChannel(client, keep=keep), clock=clock, keep=keep)
        surroundings = AccountSurroundings(pool, client, feed, OAuthOfUser(), leftovers, clock)
        accounts = assemble_accounts(settings, surroundings)
        opened.callback(accounts.close)
        around = Surroundings(pool, client, feed, sessions or accounts.sessions, accounts.people, clock)
        oauth = assemble(settings, around)
        _start_jobs(jobs, settings, pool, feed, last_use, oauth, accounts, clock)
        servicer = _servicer(settings, pool, feed, last_use, leftovers, clock)
        register = functools.partial(_register, servicer, oauth, accounts)
        ready = functools.partial(is_migrated, pool)
        policy = CallPolicy(CALLERS)
        yield await opened.enter_async_context(running_server(settings.grpc, register, ready, policy, settings.tls))


def _register(servicer: AuthServicer, oauth: AuthorizationServer, accounts: Accounts, server: grpc.aio.Server) -> None:
    auth_pb2_grpc.add_AuthServiceServicer_to_server(servicer, server)
    oauth_pb2_grpc.add_OAuthServiceServicer_to_server(oauth.servicer, server)
    account_pb2_grpc.add_AccountServiceServicer_to_server(accounts.servicer, server)


def _servicer(
    settings: AuthSettings, pool: Pool, feed: RevocationFeed, last_use: LastUse, leftovers: Background, clock: Clock
) -> AuthServicer:
    hasher, store = settings.key.hasher(), KeyStore(pool)
    return AuthServicer(
        Users(UserStore(pool), clock=clock, new_id=uuid.uuid4),
        ApiKeys(store, hasher, feed, clock=clock, new_id=uuid.uuid4),
        KeyVerifier(store, hasher, settings.tier_limits(), last_use, clock=clock, background=leftovers),
    )


def _start_jobs(
    jobs: Background,
    settings: AuthSettings,
    pool: Pool,
    feed: RevocationFeed,
    last_use: LastUse,
    oauth: AuthorizationServer,
    accounts: Accounts,
    clock: Clock,
) -> None:
    every: UpkeepSettings = settings.upkeep
    work = {
        "last_use": (last_use.flush, every.last_use_every_s),
        "revocations": (feed.sweep, every.revocation_sweep_every_s),
        "forget_revocations": (feed.forget, every.check_every_s),
        "audit_check": (AuditCheck(AuditStore(pool)).run, every.check_every_s),
        "signing_keys": (oauth.ring.rotate, SIGNING_KEYS_EVERY_S),
        "oauth_housekeeping": (oauth.housekeeping.run, every.check_every_s),
        "pepper_census": (PepperCensus(KeyStore(pool), settings.key.hasher()).run, every.check_every_s),
        **accounts.jobs,
    }
    for name, (job, every_s) in work.items():
        jobs.start(repeat(job, name=name, every_s=every_s, clock=clock), name=name)


async def _flush_at_end(last_use: LastUse) -> None:
    try:
        await last_use.flush()
    except ServiceError as exc:
        log.warning("auth.last_use_lost", reason=exc.reason.value)
