"""A usage service's stores: PostgreSQL, and a column store that is fed from it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from servicekit.testing import FakeClock
from services.usage.tests.column_store.opened import CHOSEN, ColumnsUnderTest, open_columns
from tools.testing.plugin import EVERYBODY, MakeDatabaseDsn

# These take a minute: `make test-clickhouse` asks for them, every run of the suite for the others.
collect_ignore = (
    []
    if "clickhouse" in CHOSEN
    else [
        "test_feeding.py",
        "test_command.py",
        "test_patterns_agree.py",
        "test_reports_agree.py",
        "test_trouble.py",
    ]
)


@pytest.fixture
async def service_dsn(make_database_dsn: MakeDatabaseDsn) -> str:
    """Return the DSN of a fresh database, as the service's role."""
    return await make_database_dsn("usage")


@pytest.fixture
async def pool(service_dsn: str) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """Yield a pool on that database."""
    async with asyncpg.create_pool(service_dsn, min_size=1, max_size=5, server_settings=EVERYBODY) as opened:
        yield opened
        opened.terminate()


@pytest.fixture
async def columns(
    column_engine_url: str, pool: asyncpg.Pool[asyncpg.Record], clock: FakeClock
) -> AsyncIterator[ColumnsUnderTest]:
    """Yield a column store that has begun to be fed, and is not filled."""
    async with open_columns(column_engine_url, pool, clock) as opened:
        yield opened
