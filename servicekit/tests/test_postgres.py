"""Pools of connections, as metrics show them."""

from __future__ import annotations

from pydantic import SecretStr

from servicekit.postgres import open_pool
from servicekit.settings import PostgresSettings
from servicekit.testing.sampled import sampled

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
