"""What an operator types: exit statuses, and one line for what is wrong."""

from __future__ import annotations

import asyncio
import re

import pytest

from services.usage.column_store_command import main
from services.usage.tests.statistics.samples import sample


@pytest.fixture
def settings(columns, pool, monkeypatch: pytest.MonkeyPatch, service_dsn: str) -> None:
    """Set what a usage instance has in its environment."""
    monkeypatch.setenv("RAZVILKA_PROFILE", "local")
    monkeypatch.setenv("USAGE_POSTGRES_DSN", service_dsn)
    monkeypatch.setenv("USAGE_ANALYTICS_STORE", "clickhouse")
    monkeypatch.setenv("USAGE_ANALYTICS_DSN", columns.settings.dsn.get_secret_value())


async def typed(*arguments: str) -> int:
    """Return the exit status."""
    return await asyncio.to_thread(main, list(arguments))


async def test_filling_and_verifying_say_what_they_did(columns, ingest, settings, capsys):
    """Done once it has nothing to do; a day that differs is named, with what differs, and is no success."""
    await ingest.record(sample(50))

    assert [await typed("fill"), await typed("fill"), await typed("verify")] == [0, 0, 0]
    assert "2026-10 is there" in capsys.readouterr().out

    await columns.engine.run(
        "ALTER TABLE usage_rows DELETE WHERE toYYYYMM(created_at) = 202611 SETTINGS mutations_sync = 2"
    )
    assert await typed("verify") == 1
    assert re.search(r"2026-11-0\d differs: requests \d+ in the books, 0", capsys.readouterr().out)
    assert [await typed("fill", "2026-11"), await typed("verify")] == [0, 0]


async def test_switching_off_is_told_by_the_state(columns, settings, capsys):
    """And filling is refused then, by name."""
    assert await typed("state") == 0
    assert "is_on: True" in capsys.readouterr().out

    assert await typed("off") == 0
    assert await typed("fill") == 2
    assert "USAGE_ANALYTICS_STORE=clickhouse" in capsys.readouterr().err


async def test_an_engine_that_is_away_is_told_from_a_mistake(settings, monkeypatch, free_port, capsys):
    """Exit status 3."""
    monkeypatch.setenv("USAGE_ANALYTICS_DSN", f"http://127.0.0.1:{free_port}/x")

    assert await typed("verify") == 3
