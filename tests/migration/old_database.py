"""A database of release 1.0 with every fate in it, for tests that spoil what became of it."""

from __future__ import annotations

import hashlib
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
    tokens_input INTEGER, tokens_output INTEGER, cost REAL, created_at TIMESTAMP, trace TEXT);
CREATE TABLE provider_status (id TEXT PRIMARY KEY, provider TEXT, model TEXT, status TEXT, latency INTEGER,
    error_rate REAL, updated_at TIMESTAMP);
"""
WHEN: Final = "2025-03-04 12:00:00"
NEVER: Final = "9999-12-31T23:59:59+00:00"


def make(path: Path, schema: str = BOOK, **rows: Iterable[Sequence[Any]]) -> Path:
    """Make a database; rows by table, in the order of its columns."""
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(schema)
        for table, values in rows.items():
            for value in values:
                database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(value))})", value)
    return path


def request_id(number: int) -> str:
    """Return the id of an honest request."""
    return f"00000000-0000-4000-8000-{number:012d}"


def sha(secret: str) -> str:
    """Return the hash that 1.0 kept of a key."""
    return hashlib.sha256(secret.encode()).hexdigest()


def make_mixed(path: Path) -> Path:
    """Make a database in which rows of every table move as they are, move repaired, and wait."""
    return make(
        path,
        users=[
            ("user-1", "a@b.ru", WHEN, WHEN),
            ("user-2", "A@b.ru ", "?", None),
            ("user\n3", None, "2025-03-04T12:00:00", WHEN),
            (None, "nobody@b.ru", WHEN, WHEN),
        ],
        api_keys=[
            ("key-1", "user-1", sha("first"), "first", WHEN, NEVER, None),
            ("key-2", "user-2", sha("second").upper(), None, WHEN, "", None),
            ("key-3", "gone", sha("third"), "orphan", WHEN, None, None),
            ("key-4", "user\n3", "rz_live_key_in_the_open", "naïve ключ 🔑", WHEN, "2027-01-01 00:00:00+03:00", WHEN),
            ("key-5", "user-1", sha("fifth"), "unreadable", WHEN, "soon", None),
        ],
        usage=[*_honest(60), *_strange()],
        provider_status=[("s", "gigachat", "GigaChat", "up", 10, 0.5, WHEN)],
    )


def _honest(count: int) -> list[tuple[Any, ...]]:
    return [
        (request_id(number), "user-1", "gigachat", "GigaChat", 10, 20 + number, 0.0015 * number, WHEN, "t")
        for number in range(count)
    ]


def _strange() -> list[tuple[Any, ...]]:
    plain = ("gigachat", "GigaChat", 1, 2, 0.25, WHEN)
    return [
        ("gen-1", "user-2", None, "yandexgpt/latest", "10", 20, 0.1 + 0.2, WHEN, None),
        ("gen-2", "gone", *plain, b"\xff"),
        ("gen-3", "user\n3", "GigaChat", "gigachat-pro", 1, 2, 0.1234567, "2025-03-04T23:30:00", None),
        ("gen-4", "user-1", *plain[:4], -1.0, WHEN, None),
        ("gen-5", "user-1", *plain[:5], "now", None),
        ("gen-6", "user-1", "gigachat", "GigaChat", "1,234", 2, 0.5, WHEN, None),
        (request_id(0).replace("-", ""), "user-1", *plain, None),
        (b"\x00\xff", "user-1", *plain, None),
    ]
