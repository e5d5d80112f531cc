"""The router's SQL against a real PostgreSQL, as the service's own role."""

from __future__ import annotations

from datetime import UTC, datetime

import asyncpg
import pytest

from services import router
from services.router.store import RouterStore
from tools.testing.plugin import MakeDatabase
from tools.testing.statements import statements_of, unprepared

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def test_every_query_prepares(make_database: MakeDatabase) -> None:
    """Each statement fits the migrated schema and the role's rights."""
    faults = await unprepared(await make_database("router"), router)

    # None found would prove nothing.
    assert (faults, len(statements_of(router)) > 60) == ({}, True)


async def test_overrides_are_read_whole(make_database: MakeDatabase) -> None:
    """Patches as they were written, prices in micro-roubles with a version of their own."""
    pool = await make_database("router")
    await pool.execute(
        "INSERT INTO router.model_overrides (model_id, patch, updated_at) VALUES ($1, $2, $3)",
        "yandexgpt:latest", '{"enabled": false}', NOW,
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO router.price_history (model_id, valid_from, input, output, updated_at)"
        " VALUES ($1, $2, 0.065, 0.13, $2)",
        "gigachat", NOW,
    )  # fmt: skip

    overrides = await RouterStore(pool).find_overrides()

    assert overrides.patches == {"yandexgpt:latest": {"enabled": False}}
    price = overrides.prices["gigachat"][0]
    assert (price.input_micro_rub_per_1k, price.output_micro_rub_per_1k) == (65_000, 130_000)
    assert (price.cached_micro_rub_per_1k, price.version) == (65_000, "gigachat@2026-11-23")


async def test_the_service_may_not_change_the_schema(make_database: MakeDatabase) -> None:
    """DDL is the migrations' business."""
    pool = await make_database("router")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute("CREATE TABLE router.mine (id int)")
