"""What providers have taken is not asked twice because PostgreSQL was away for a moment."""

from __future__ import annotations

from servicekit.clock import SystemClock
from services.router.batches.store.deferred_calls import DeferredCallStore
from tools.testing.plugin import MakeDatabase


async def test_a_call_that_cannot_be_written_down_is_known_and_written_later(make_database: MakeDatabase) -> None:
    """It failed, though the provider had taken it, and was asked, and billed, once more."""
    pool = await make_database("router")
    async with pool.acquire() as connection:
        store = DeferredCallStore(connection, SystemClock())
        await store.keep("b:0", "before")
        # As a server is for the moment of a failover.
        await connection.execute("SET default_transaction_read_only = on")
        await store.keep("b:1", "first")
        assert await store.find("b:1") == "first"
        await connection.execute("SET default_transaction_read_only = off")

        await store.keep("b:2", "second")

    another = DeferredCallStore(pool, SystemClock())
    assert [await another.find(f"b:{number}") for number in range(3)] == ["before", "first", "second"]


async def test_a_call_that_has_failed_is_forgotten_wherever_it_is_known(make_database: MakeDatabase) -> None:
    """Also when it was never written."""
    pool = await make_database("router")
    store = DeferredCallStore(pool, SystemClock())
    await store.keep("b:1", "first")

    await store.forget("b:1")

    assert await store.find("b:1") is None
