"""Composition root: which instance gets which, and the order of start and stop."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import grpc
import structlog
from razvilka.auth.v1 import (
    account_pb2_grpc,
    administration_pb2_grpc,
    auth_pb2_grpc,
    budgets_pb2_grpc,
    oauth_pb2_grpc,
    owners_pb2_grpc,
    personal_data_pb2_grpc,
    user_context_pb2_grpc,
)
from redis.asyncio import Redis

from servicekit import lifecycle, postgres, redis, telemetry
from servicekit.clock import Clock, SystemClock
from servicekit.errors import ServiceError
from servicekit.fairness.shares import Shares, shares_of_pool
from servicekit.fairness.turns import Turns
from servicekit.lifecycle import Background
from servicekit.rpc_server import running_server
from servicekit.settings import TlsSettings
from servicekit.trust.callers import CallPolicy
from servicekit.trust.certificate_files import CertificateFiles
from servicekit.trust.in_their_name import InTheirName
from servicekit.trust.user_context import ContextSigner
from services.auth.accounts.assembly import Accounts, assemble_accounts
from services.auth.administration.assembly import assemble_administration
from services.auth.administration.rpc import AdministrationServicer
from services.auth.budgets.assembly import assemble_budgets
from services.auth.budgets.rpc import BudgetServicer
from services.auth.callers import CALLERS, IN_THEIR_NAME
from services.auth.holders import Holders
from services.auth.keys.assembly import Keys, assemble_keys
from services.auth.keys.last_use import LastUse
from services.auth.keys.store.api_keys import KeyStore
from services.auth.oauth.assembly import AuthorizationServer, assemble_oauth
from services.auth.oauth.store.grants_of_user import OAuthOfUser
from services.auth.owners.maker_store import MakerStore
from services.auth.owners.rpc import OwnerServicer
from services.auth.owners.store import OwnerStore
from services.auth.personal_data.rpc import PersonalDataServicer
from services.auth.personal_data.store import PersonalDataStore
from services.auth.settings import AuthSettings
from services.auth.shared.audit_check import AuditCheck
from services.auth.shared.cache.revocation_channel import RevocationChannel
from services.auth.shared.dependencies import Dependencies
from services.auth.shared.domain.session import Sessions
from services.auth.shared.in_person import InPerson
from services.auth.shared.revocation_feed import RevocationFeed
from services.auth.shared.settings import UpkeepSettings
from services.auth.shared.store.audit_log import AuditStore
from services.auth.shared.store.readiness import is_migrated
from services.auth.shared.store.revocations import RevocationStore
from services.auth.shared.store.unit_of_work import Pool, UnitsOfWork
from services.auth.shared.upkeep import repeat
from services.auth.user_contexts import AUDIENCES, UserContextServicer

log = structlog.get_logger()

# Often enough that a key is published in time: jwks_max_age_s is at least as long.
SIGNING_KEYS_EVERY_S: Final = 60.0


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
        given = _dependencies(settings, pool, client, leftovers, clock)
        rooms = _rooms(settings, given, last_use, sessions)
        opened.callback(rooms.accounts.close)
        _start_jobs(jobs, settings.upkeep, given, last_use, rooms)
        contexts = UserContextServicer(rooms.holders, _context_signer(settings.tls, clock))
        register = functools.partial(_register, rooms, contexts, shares_of_pool(settings.postgres.pool_max))
        ready = functools.partial(is_migrated, pool)
        policy = CallPolicy(CALLERS)
        yield await opened.enter_async_context(running_server(settings.grpc, register, ready, policy, settings.tls))


@dataclass(frozen=True, slots=True)
class _Rooms:
    """The servicers, and what finds the owner of a credential."""

    keys: Keys
    oauth: AuthorizationServer
    accounts: Accounts
    budgets: BudgetServicer
    holders: Holders
    owners: OwnerServicer
    administration: AdministrationServicer
    personal_data: PersonalDataServicer


def _dependencies(
    settings: AuthSettings, pool: Pool, client: Redis, background: Background, clock: Clock
) -> Dependencies:
    keep = timedelta(seconds=settings.upkeep.revocation_keep_s)
    feed = RevocationFeed(RevocationStore(pool), RevocationChannel(client, keep=keep), clock=clock)
    units = UnitsOfWork(pool, feed.announce, believed_for=keep, clock=clock)
    return Dependencies(pool, client, units, feed, background, clock, settings.most.bounds())


def _rooms(settings: AuthSettings, given: Dependencies, last_use: LastUse, sessions: Sessions | None) -> _Rooms:
    limits, secrets = settings.tier_limits(), settings.oauth.signing_secrets(settings.key.peppers())
    accounts = assemble_accounts(settings.account_options(), limits, given, OAuthOfUser())
    found = sessions or accounts.sessions
    in_person = InPerson(found, clock=given.clock)
    oauth = assemble_oauth(settings.oauth, secrets, limits, given, found)
    keys = assemble_keys(settings.key, limits, given, last_use, in_person)
    owners = OwnerServicer(OwnerStore(given.pool), MakerStore(given.pool), limits, clock=given.clock)
    holders = Holders(keys.verifier, oauth.reader, found)
    administration = assemble_administration(given)
    budgets = assemble_budgets(limits, given, in_person)
    personal_data = PersonalDataServicer(PersonalDataStore(given.pool))
    return _Rooms(keys, oauth, accounts, budgets, holders, owners, administration, personal_data)


def _context_signer(tls: TlsSettings, clock: Clock) -> ContextSigner | None:
    return None if tls.dir is None else ContextSigner(CertificateFiles(tls.dir), AUDIENCES, clock)


def _register(rooms: _Rooms, contexts: UserContextServicer, shares: Shares, server: grpc.aio.Server) -> None:
    def behind_check(servicer: Any) -> Any:
        return InTheirName(Turns(servicer, IN_THEIR_NAME, shares), IN_THEIR_NAME, rooms.holders)

    auth_pb2_grpc.add_AuthServiceServicer_to_server(behind_check(rooms.keys.servicer), server)
    oauth_pb2_grpc.add_OAuthServiceServicer_to_server(behind_check(rooms.oauth.servicer), server)
    account_pb2_grpc.add_AccountServiceServicer_to_server(behind_check(rooms.accounts.servicer), server)
    budgets_pb2_grpc.add_BudgetServiceServicer_to_server(behind_check(rooms.budgets), server)
    administration_pb2_grpc.add_AdministrationServiceServicer_to_server(behind_check(rooms.administration), server)
    personal_data_pb2_grpc.add_PersonalDataServiceServicer_to_server(behind_check(rooms.personal_data), server)
    owners_pb2_grpc.add_OwnerServiceServicer_to_server(rooms.owners, server)
    user_context_pb2_grpc.add_UserContextServiceServicer_to_server(contexts, server)


def _start_jobs(jobs: Background, every: UpkeepSettings, given: Dependencies, last_use: LastUse, rooms: _Rooms) -> None:
    work = {
        "last_use": (last_use.flush, every.last_use_every_s),
        "revocations": (given.feed.sweep, every.revocation_sweep_every_s),
        "forget_revocations": (given.feed.forget, every.check_every_s),
        "audit_check": (AuditCheck(AuditStore(given.pool)).run, every.check_every_s),
        "signing_keys": (rooms.oauth.ring.rotate, SIGNING_KEYS_EVERY_S),
        "oauth_housekeeping": (rooms.oauth.housekeeping.run, every.check_every_s),
        "pepper_census": (rooms.keys.census.run, every.check_every_s),
        **rooms.accounts.jobs,
    }
    for name, (job, every_s) in work.items():
        jobs.start(repeat(job, name=name, every_s=every_s, clock=given.clock), name=name)


async def _flush_at_end(last_use: LastUse) -> None:
    try:
        await last_use.flush()
    except ServiceError as exc:
        log.warning("auth.last_use_lost", reason=exc.reason.value)
