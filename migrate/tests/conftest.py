"""Databases of 1.1 for whole moves."""

from __future__ import annotations

import pytest

from tools.testing.plugin import MakeDatabaseDsn


@pytest.fixture
async def dsns(make_database_dsn: MakeDatabaseDsn, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the databases of 1.1, named as the services name them."""
    found = {name: await make_database_dsn(name) for name in ("auth", "usage")}
    for name, dsn in found.items():
        monkeypatch.setenv(f"{name.upper()}_POSTGRES_DSN", dsn)
    return found
