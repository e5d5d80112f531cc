"""Databases of 1.1 for whole moves, and what is moved."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from migrate.tests.commands import sha
from migrate.tests.old_database import BOOK, WHEN, make, requests
from tools.testing.plugin import MakeDatabaseDsn

SECRETS: Final = ("rz_live_first_key", "rz_live_second_key")


@pytest.fixture
async def dsns(make_database_dsn: MakeDatabaseDsn, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the databases of 1.1, named as the services name them."""
    found = {name: await make_database_dsn(name) for name in ("auth", "usage")}
    for name, dsn in found.items():
        monkeypatch.setenv(f"{name.upper()}_POSTGRES_DSN", dsn)
    return found


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    """Return a database with honest rows and some of each kind of dirt."""
    schema = BOOK.replace("created_at TIMESTAMP);", "created_at TIMESTAMP, trace TEXT);", 1)
    users = [("user-1", "a@b.ru", WHEN, WHEN), ("user-2", "A@b.ru ", "?", None), (None, "nobody@b.ru", WHEN, WHEN)]
    keys = [
        ("key-1", "user-1", sha(SECRETS[0]), "first", WHEN, None, None),
        ("key-2", "user-2", sha(SECRETS[1]).upper(), None, WHEN, "", None),
        ("key-3", "gone", sha("third"), "orphan", WHEN, None, None),
    ]
    rows = [(*row, "t") for row in requests(400)]
    rows += [
        ("gen-1", "user-2", None, "yandexgpt/latest", "10", 20, 0.1 + 0.2, WHEN, None),
        ("gen-2", "gone", "gigachat", "GigaChat", 1, 2, 0.25, WHEN, b"\xff"),
        ("gen-3", "user-1", "gigachat", "GigaChat", 1, 2, -1.0, WHEN, None),
        (requests(1)[0][0].replace("-", ""), "user-1", "gigachat", "GigaChat", 1, 2, 0.5, WHEN, None),
    ]
    history = [("s", "gigachat", "GigaChat", "up", 10, 0.5, WHEN)]
    return make(tmp_path / "old.db", schema, users=users, api_keys=keys, usage=rows, provider_status=history)
