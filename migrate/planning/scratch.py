"""scratch_target: a database with the schemas of auth and usage, for one trial; one that a kill left is dropped."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql
from pydantic import SecretStr

import services
from migrate.moving.local_suite import local_suite
from migrate.moving.target import AUTH, STATEMENT_S, USAGE, Target
from servicekit.migrations import migrate
from servicekit.postgres import open_pool
from servicekit.settings import PostgresSettings
from services.auth.importing.following import Following
from services.auth.importing.imports import Imports as AuthImports
from services.auth.keys.store.api_keys import KeyStore
from services.usage.importing.imports import Imports as UsageImports
from services.usage.store import UsageStore
from tools.servers.bootstrap import bootstrap, role
from tools.servers.errors import ServerError

SCRATCH: Final = "RAZVILKA_SCRATCH_DSN"
PREFIX: Final = "razvilka_plan_"
OF_1_1: Final = "1.1"
SCHEMAS: Final = ("auth", "usage")
Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"


@dataclass(frozen=True, slots=True)
class Scratch:
    """A database for a trial.

    Attributes:
        target: the entrances of the source.
        residents: the entrance for what 1.1 has already.
    """

    target: Target
    residents: AuthImports
    _admin: Connection
    _name: str

    def size(self) -> int:
        """Return its size in bytes."""
        row = self._admin.execute("SELECT pg_database_size(%s)", [self._name]).fetchone()
        return 0 if row is None else int(row[0])

    def folder(self) -> Path | None:
        """Return where the server keeps its data, None where that is on another machine or a secret."""
        try:
            row = self._admin.execute("SHOW data_directory").fetchone()
        except psycopg.errors.InsufficientPrivilege:
            return None
        folder = Path(str(row[0])) if row else None
        return folder if folder is not None and folder.parent.is_dir() else None


@asynccontextmanager
async def scratch_target(source_id: str, environment: Mapping[str, str] = os.environ) -> AsyncIterator[Scratch]:
    """Yield the database; it is dropped when the block ends.

    Raises:
        ServerError: there is no server for it, its role may not make one, or another trial of the source is at work.
    """
    name = PREFIX + hashlib.sha256(source_id.encode()).hexdigest()[:16]
    with _errors(), psycopg.connect(_admin_dsn(environment), autocommit=True) as admin:
        _claim(admin, name)
        try:
            dsn = await asyncio.to_thread(_make, admin, name)
            async with open_pool(_settings(dsn, "auth")) as auth, open_pool(_settings(dsn, "usage")) as usage:
                usage_imports = UsageImports(UsageStore(usage), source_id)
                target = Target(AuthImports(auth, source_id), Following(auth, source_id), usage_imports, KeyStore(auth))
                yield Scratch(target, AuthImports(auth, OF_1_1), admin, name)
        finally:
            _drop(admin, name)


def _admin_dsn(environment: Mapping[str, str]) -> str:
    if environment.get(SCRATCH):
        return environment[SCRATCH]
    if environment.get(AUTH) or environment.get(USAGE):
        raise ServerError(
            f"A trial needs a database of its own: set {SCRATCH} to postgresql://... of a role that may create one "
            "and is a superuser or a member of the services' roles."
        )
    return local_suite(environment).admin_dsn


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as exc:
        said = str(exc).strip().splitlines()
        raise ServerError(f"{SCRATCH}: no database for the trial: {said[0] if said else type(exc).__name__}.") from exc


def _claim(admin: Connection, name: str) -> None:
    """Take the name for this session: the lock ends with it, however it ends."""
    row = admin.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name]).fetchone()
    if row is None or not row[0]:
        raise ServerError("Another trial of this source is at work: wait for its end, or stop it.")


def _make(admin: Connection, name: str) -> str:
    """Make the database anew, with what the services' own migrations make; return the DSN of its administrator."""
    _drop(admin, name)
    database = sql.Identifier(name)
    admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(database))
    dsn = _dsn_of(admin, name)
    bootstrap(dsn, {})
    for schema in SCHEMAS:
        # What migrations make belongs to the schema's owner, as it does in 1.1.
        owner = sql.Identifier(role(schema, owner=True))
        admin.execute(sql.SQL("ALTER DATABASE {} SET role TO {}").format(database, owner))
        migrate(dsn, Path(services.__path__[0]) / schema / "migrations", schema)
    admin.execute(sql.SQL("ALTER DATABASE {} RESET role").format(database))
    return dsn


def _drop(admin: Connection, name: str) -> None:
    if not admin.broken:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _dsn_of(admin: Connection, name: str) -> str:
    info = admin.info
    user = f"{quote(info.user, safe='')}:{quote(info.password or '', safe='')}"
    return f"postgresql://{user}@{info.host}:{info.port}/{name}"


def _settings(dsn: str, service: str) -> PostgresSettings:
    """Return how the service itself would connect: with its role's rights."""
    options = f"role={role(service)}&search_path={service}"
    return PostgresSettings(
        dsn=SecretStr(urlunsplit(urlsplit(dsn)._replace(query=options))), statement_timeout_s=STATEMENT_S
    )
