"""Where rows go: the databases of auth and usage, each as the service itself opens it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from asyncpg import Pool, Record
from pydantic import SecretStr

from migrate.moving.local_suite import local_suite
from servicekit.outbound.store_addresses import postgres_problem
from servicekit.postgres import open_pool
from servicekit.settings import PostgresSettings
from services.auth.importing.following import Following
from services.auth.importing.imports import Imports as AuthImports
from services.auth.keys.store.api_keys import KeyStore
from services.usage.importing.imports import Imports as UsageImports
from services.usage.store import UsageStore
from tools.servers.errors import ServerError

AUTH = "AUTH_POSTGRES_DSN"
USAGE = "USAGE_POSTGRES_DSN"
# A batch of rows with its sums, and taking a day of them back.
STATEMENT_S = 300.0


@dataclass(frozen=True, slots=True)
class Target:
    """The entrances of one source, and auth's own look-up of keys."""

    auth: AuthImports
    following: Following
    usage: UsageImports
    keys: KeyStore


@asynccontextmanager
async def open_target(source_id: str, environment: Mapping[str, str] = os.environ) -> AsyncIterator[Target]:
    """Yield the entrances: of the databases that the services' own variables name, else of the local suite.

    Raises:
        ServerError: there is no local suite either, or a variable holds no address.
    """
    auth, usage = (_settings(name, environment) for name in (AUTH, USAGE))
    async with open_pool(auth) as auth_pool, open_pool(usage) as usage_pool:
        usage_imports = UsageImports(UsageStore(usage_pool), source_id)
        following = Following(auth_pool, source_id)
        yield Target(AuthImports(auth_pool, source_id), following, usage_imports, KeyStore(auth_pool))


@asynccontextmanager
async def open_auth(environment: Mapping[str, str] = os.environ) -> AsyncIterator[Pool[Record]]:
    """Yield the database of auth, as `open_target` finds it.

    Raises:
        ServerError: there is no local suite either.
    """
    async with open_pool(_settings(AUTH, environment)) as pool:
        yield pool


def _settings(variable: str, environment: Mapping[str, str]) -> PostgresSettings:
    dsn = environment.get(variable) or local_suite(environment).dsns[variable]
    if problem := postgres_problem(dsn.strip()):
        raise ServerError(f"{variable}: {problem}")
    return PostgresSettings(dsn=SecretStr(dsn), statement_timeout_s=STATEMENT_S)
