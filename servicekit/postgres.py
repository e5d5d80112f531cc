"""PostgreSQL pools: plain asyncpg, opened from settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any, Final, Protocol

import asyncpg
from asyncpg.connect_utils import SessionAttribute
from prometheus_client import Gauge

from servicekit.errors import ErrorReason, Unavailable, invalid_parameter
from servicekit.settings import PostgresSettings

# PostgreSQL is not there, refuses us, is full, or was told to stop. Errors of our own SQL are not among these.
LOST: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    # A COPY whose connection is cut: its transaction cannot even be rolled back.
    asyncpg.InternalClientError,
    asyncpg.ReadOnlySQLTransactionError,
)
# The same, or it answers that it cannot: a schema that is not migrated yet, a right that is missing.
UNUSABLE: Final = (*LOST, asyncpg.PostgresError)
TARGET: Final = "target_session_attrs="
CONNECTIONS: Final = Gauge(
    "razvilka_postgres_connections",
    "Connections to PostgreSQL of each pool of the process: open, idle of these, and the most that it opens.",
    ["pool", "state"],
)
# A statement that deletes so many rows is over long before its time is.
MOST_DELETED: Final = 1000
# Rows of one page of JSON: many of them are far below what a message may weigh.
MOST_LISTED: Final = 500
# How the name of a page says behind which moment it begins.
PLACE: Final = "%Y-%m-%dT%H:%M:%S.%f%z"


class Executes(Protocol):
    """A pool, or a connection."""

    async def execute(self, query: str, /, *args: Any) -> str:
        """Execute a statement; return what it did."""
        ...


class Fetches(Protocol):
    """A pool, or a connection."""

    async def fetch(self, query: str, /, *args: Any) -> Sequence[Any]:
        """Return all rows of a query."""
        ...


@asynccontextmanager
async def open_pool(settings: PostgresSettings, *, name: str = "service") -> AsyncIterator[asyncpg.Pool]:
    """Yield a connection pool of the service's own role; every statement has a time limit.

    Connections are opened on first use, so a service starts (not ready) while PostgreSQL is down. Only a primary is
    connected to, unless the DSN says otherwise (`target_session_attrs`): a name may still lead to a server that has
    become a standby, and nothing could be written over a connection to it.

    Args:
        settings: where, as whom, how many connections.
        name: tells pools of one process apart in metrics.
    """
    dsn = settings.dsn.get_secret_value()
    pool = await asyncpg.create_pool(
        dsn,
        target_session_attrs=None if TARGET in dsn else SessionAttribute.primary,
        min_size=0,
        max_size=settings.pool_max,
        timeout=settings.connect_timeout_s,
        command_timeout=settings.statement_timeout_s,
        max_inactive_connection_lifetime=300.0,
    )
    CONNECTIONS.labels(name, "open").set_function(pool.get_size)
    CONNECTIONS.labels(name, "idle").set_function(pool.get_idle_size)
    CONNECTIONS.labels(name, "most").set(settings.pool_max)
    try:
        yield pool
    finally:
        # close() waits for ever when a connection hangs; the process is ending anyway.
        pool.terminate()


@contextmanager
def database_errors() -> Iterator[None]:
    """Raise `Unavailable` in place of any error that says PostgreSQL cannot be used now."""
    try:
        yield
    except LOST as exc:
        raise Unavailable(
            ErrorReason.DATABASE_ERROR, "The database is unavailable. Try again.", retry_after_s=1.0
        ) from exc


async def in_pieces(on: Executes, statement: str, *values: object, most: int = MOST_DELETED) -> None:
    """Delete or update many rows, `most` in each statement: a single statement would exceed its time limit.

    Args:
        on: a pool, or a connection outside of a transaction: earlier pieces are kept when a later one fails.
        statement: a DELETE or UPDATE whose last parameter is `most`, and which does not find the same rows again.
    """
    while (await on.execute(statement, *values, most)).endswith(f" {most}"):
        pass


async def json_page(on: Fetches, query: str, whose: str, page: str, most: int) -> tuple[list[str], str]:
    """Return a page of a user's rows as JSON texts, and the name of the next page, "" after the last.

    Args:
        on: a pool, or a connection.
        query: a SELECT of `row_json`, `moment` and `id`, ordered by the last two. It takes whose rows, the moment and
            id behind which the page begins (NULL: from the beginning), and how many.
        whose: rows.
        page: the name of the page, "" of the first.
        most: rows of the page.

    Raises:
        InvalidRequest: there is no such page, or it would be too long.
    """
    moment, id = _place(page)
    # One more tells whether there is another page.
    rows = await on.fetch(query, whose, moment, id, checked_length(most) + 1)
    listed = rows[:most]
    following = f"{listed[-1]['moment'].strftime(PLACE)} {listed[-1]['id']}" if len(rows) > most else ""
    return [row["row_json"] for row in listed], following


def checked_length(most: int) -> int:
    """Return the number of rows of a page.

    Raises:
        InvalidRequest: it is below 1, or too large.
    """
    if not 1 <= most <= MOST_LISTED:
        raise invalid_parameter("limit", f"The limit must be 1 to {MOST_LISTED}.")
    return most


def _place(page: str) -> tuple[datetime | None, str]:
    if not page:
        return None, ""
    moment, _, id = page.partition(" ")
    no_such_page = invalid_parameter("page", "There is no such page.")
    if "\0" in id:
        raise no_such_page
    try:
        # A moment without a zone is none of ours.
        return datetime.strptime(moment, PLACE), id
    except ValueError as exc:
        raise no_such_page from exc


def sql(template: str, **parts: str) -> str:
    """Return a statement with names of ours filled in, at import time only; values are always parameters."""
    return template.format(**parts)
