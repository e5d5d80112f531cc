"""A client of ClickHouse's HTTP interface, with parameterised queries and rows as text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final
from urllib.parse import unquote

import aiohttp
import clickhouse_connect
import structlog
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from servicekit.errors import ErrorReason, Unavailable, name_of
from services.usage.column_store.schema import ADD_COLUMNS, CREATE_TABLES, NAMES, TABLE
from services.usage.column_store.settings import AnalyticsSettings

log = structlog.get_logger()

_LOST: Final = (ClickHouseError, aiohttp.ClientError, OSError, TimeoutError)
_SAID: Final = 300
# A month of one part is read without looking for doubles in it.
_READING: Final = {"do_not_merge_across_partitions_select_final": 1}

_COLUMNS_THERE: Final = """
    SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table:String}
"""


class ColumnEngine:
    """A ClickHouse server; each method raises `Unavailable` when it does not answer, or refuses the query."""

    def __init__(self, settings: AnalyticsSettings) -> None:
        self._settings = settings
        self._client: AsyncClient | None = None
        self._connecting = asyncio.Lock()

    async def ask(self, statement: str, values: Mapping[str, Any], user_id: str | None) -> Sequence[Sequence[Any]]:
        """Return the rows that the statement finds among those of one user, or of everybody (None).

        The statement narrows to the user by itself; the filter here is the second wall.
        """
        settings = _READING if user_id is None else _READING | {"additional_table_filters": _wall(user_id)}
        with _errors():
            client = await self._connected()
            found = await client.query(statement, parameters=dict(values), settings=settings)
        return found.result_rows

    async def run(self, statement: str) -> None:
        """Do what the statement says."""
        with _errors():
            await (await self._connected()).command(statement)

    async def put(self, rows: bytes, *, table: str = TABLE) -> None:
        """Insert rows as PostgreSQL's COPY writes them, in the order of `schema.NAMES`."""
        with _errors():
            client = await self._connected()
            await client.raw_insert(table, NAMES, rows, fmt="TabSeparated")

    async def missing_columns(self) -> Sequence[str]:
        """Return the columns that the table lacks: all of them when there is no table."""
        found = await self.ask(_COLUMNS_THERE, {"table": TABLE}, None)
        there = {row[0] for row in found}
        return [name for name in NAMES if name not in there]

    async def add_columns(self) -> None:
        """Add the columns that tables of an earlier version lack; their rows have nothing in them."""
        for statement in ADD_COLUMNS:
            await self.run(statement)

    async def make_tables(self) -> None:
        """Make the tables unless they are there."""
        for statement in CREATE_TABLES:
            await self.run(statement)

    async def close(self) -> None:
        """End the connections."""
        if self._client is not None:
            await self._client.close()

    async def _connected(self) -> AsyncClient:
        async with self._connecting:
            if self._client is None:
                self._client = await _client_of(self._settings)
        return self._client


async def _client_of(settings: AnalyticsSettings) -> AsyncClient:
    address = settings.address
    return await clickhouse_connect.get_async_client(
        interface=address.scheme,
        host=address.hostname,
        port=address.port or (8443 if address.scheme == "https" else 8123),
        username=unquote(address.username or "default"),
        password=unquote(address.password or ""),
        database=address.path.strip("/"),
        ca_cert=str(settings.ca) if settings.ca else None,
        connector_limit=settings.connections,
        connector_limit_per_host=settings.connections,
        send_receive_timeout=settings.timeout_s,
        connect_timeout=min(settings.timeout_s, 5.0),
        # Questions side by side must not wait for each other in a session.
        autogenerate_session_id=False,
        compress=False,
    )


def _wall(user_id: str) -> str:
    """Return a filter of the table by the user; what the id holds cannot be taken for SQL."""
    return f"{{'{TABLE}': 'user_id = unhex(\\'{user_id.encode().hex()}\\')'}}"


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except _LOST as exc:
        log.warning("usage.column_store_failed", error=name_of(exc), said=str(exc)[:_SAID])
        raise Unavailable(
            ErrorReason.DATABASE_ERROR, "The column store is unavailable. Try again.", retry_after_s=1.0
        ) from exc


@asynccontextmanager
async def open_engine(settings: AnalyticsSettings) -> AsyncIterator[ColumnEngine]:
    """Yield the engine; it connects when it is used, so a service starts while ClickHouse is down."""
    engine = ColumnEngine(settings)
    try:
        yield engine
    finally:
        await engine.close()
