"""Pools of connections, as metrics show them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr

from servicekit.postgres import LOST, open_pool
from servicekit.settings import PostgresSettings
from servicekit.testing.sampled import sampled
from tools.testing.throwaway import quick_place, session_folder, throwaway_postgres

NOWHERE = SecretStr("postgresql://nobody@127.0.0.1:1/none")


async def test_each_pool_of_a_process_is_counted_by_itself() -> None:
    """Else the pool that was opened last hides that the service's own has no connection left."""
    async with (
        open_pool(PostgresSettings(dsn=NOWHERE, pool_max=8)),
        open_pool(PostgresSettings(dsn=NOWHERE, pool_max=2), name="reports"),
    ):
        most = [sampled("razvilka_postgres_connections", pool=name, state="most") for name in ("service", "reports")]
        are_open = sampled("razvilka_postgres_connections", pool="service", state="open")

    assert most == [8, 2]
    assert are_open == 0


@pytest.fixture
async def standby() -> AsyncIterator[str]:
    """Return the DSN of a server that only follows."""
    with ExitStack() as opened:
        folder: Path = opened.enter_context(session_folder(quick_place()))
        with throwaway_postgres(folder):
            (folder / "postgres" / "standby.signal").touch()
        yield await asyncio.to_thread(opened.enter_context, throwaway_postgres(folder))


async def test_a_server_that_only_follows_is_not_connected_to_unless_the_dsn_says_so(standby: str) -> None:
    """A name may lead to it for a while after a failover: a connection made then would be kept, and refuse writes."""
    async with open_pool(PostgresSettings(dsn=SecretStr(standby))) as pool:
        with pytest.raises(LOST):
            await pool.fetchval("SELECT 1")
    async with open_pool(PostgresSettings(dsn=SecretStr(f"{standby}?target_session_attrs=any"))) as pool:
        assert await pool.fetchval("SELECT 1") == 1
