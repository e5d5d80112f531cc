"""Databases of release 1.0 for the tests."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

BOOK: Final = """
CREATE TABLE users (id TEXT PRIMARY KEY, email TEXT, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE api_keys (id TEXT PRIMARY KEY, user_id TEXT REFERENCES users(id), key_hash TEXT, name TEXT,
    created_at TIMESTAMP, expires_at TIMESTAMP, last_used_at TIMESTAMP);
CREATE TABLE usage (id TEXT PRIMARY KEY, user_id TEXT REFERENCES users(id), provider TEXT, model TEXT,
    tokens_input INTEGER, tokens_output INTEGER, cost REAL, created_at TIMESTAMP);
CREATE TABLE provider_status (id TEXT PRIMARY KEY, provider TEXT, model TEXT, status TEXT, latency INTEGER,
    error_rate REAL, updated_at TIMESTAMP);
"""
WHEN: Final = "2025-03-04 12:00:00"


def make(path: Path, schema: str = BOOK, **rows: Iterable[Sequence[Any]]) -> Path:
    """Make a database; rows by table, in the order of its columns."""
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(schema)
        for table, values in rows.items():
            for value in values:
                marks = ", ".join("?" for _ in value)
                database.execute(f"INSERT INTO {table} VALUES ({marks})", value)
    return path


def requests(count: int, user: str = "user-1") -> list[tuple[Any, ...]]:
    """Return honest usage rows."""
    return [
        (f"00000000-0000-4000-8000-{number:012d}", user, "gigachat", "GigaChat", 10, 20, 0.0015, WHEN)
        for number in range(count)
    ]


def spoil(path: Path, table: str, *places: int) -> None:
    """Make leaf pages of a table unreadable, by their places in its order."""
    with closing(sqlite3.connect(path)) as database:
        leaves = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path"
        pages = [page for (page,) in database.execute(leaves, (table,))]
        (size,) = database.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        for place in places:
            file.seek((pages[place] - 1) * size)
            file.write(b"\xee" * size)
