"""A database of release 1.0: a year of honest usage, some of each kind of dirt, and what operators put beside it."""

from __future__ import annotations

import random
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from servicekit.postgres import sql
from tools.migrate_demo import dirt

SCHEMA: Final = """
CREATE TABLE users (id TEXT PRIMARY KEY, email TEXT, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, tier TEXT);
CREATE TABLE api_keys (id TEXT PRIMARY KEY, user_id TEXT REFERENCES users(id), key_hash TEXT, name TEXT,
    created_at TIMESTAMP, expires_at TIMESTAMP, last_used_at TIMESTAMP);
CREATE TABLE usage (id TEXT PRIMARY KEY, user_id TEXT REFERENCES users(id), provider TEXT, model TEXT,
    tokens_input INTEGER, tokens_output INTEGER, cost REAL, created_at TIMESTAMP, metadata TEXT);
CREATE TABLE provider_status (id TEXT PRIMARY KEY, provider TEXT, model TEXT, status TEXT, latency INTEGER,
    error_rate REAL, updated_at TIMESTAMP);
CREATE TABLE invoices (number TEXT, amount REAL);
CREATE VIEW spent AS SELECT user_id, sum(cost) FROM usage GROUP BY 1;
"""
USERS: Final = 20
DAYS: Final = 365
MODELS: Final = (("gigachat", "GigaChat"), ("gigachat", "GigaChat-Pro"), ("yandexgpt", "yandexgpt-lite"))
SEED: Final = 10


def make(path: Path, rows: int, now: datetime) -> None:
    """Make the database; `rows`: honest usage rows of the year before `now`, beside the dirty ones."""
    chance = random.Random(SEED)  # noqa: S311 - a story, not a secret
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(SCHEMA)
        _insert(database, "users", (_user(number, now) for number in range(1, USERS + 1)))
        _insert(database, "api_keys", (_key(number, now) for number in range(1, USERS + 1)))
        _insert(database, "usage", _year(rows, now, chance))
        for table, made in (("users", dirt.users()), ("api_keys", dirt.keys()), ("usage", dirt.usage())):
            _insert(database, table, iter(made))
        status = ("status-1", "gigachat", "GigaChat", "up", 420, 0.5, _text(now))
        database.execute("INSERT INTO provider_status VALUES (?, ?, ?, ?, ?, ?, ?)", status)
        database.execute("INSERT INTO invoices VALUES ('2026-1', 99.5)")


def request(chance: random.Random, at: datetime) -> tuple[Any, ...]:
    """Return an honest usage row of a moment."""
    provider, model = chance.choice(MODELS)
    tokens_input, tokens_output = chance.randint(10, 4_000), chance.randint(1, 800)
    cost = round((tokens_input + 2 * tokens_output) * 0.000_2, 6)
    id_ = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    user = f"user-{chance.randint(1, USERS):03d}"
    return (id_, user, provider, model, tokens_input, tokens_output, cost, _text(at), None)


def _insert(database: sqlite3.Connection, table: str, rows: Iterator[tuple[Any, ...]]) -> None:
    for row in rows:
        marks = ", ".join("CAST(? AS TEXT)" if value is dirt.BROKEN else "?" for value in row)
        database.execute(sql("INSERT INTO {table} VALUES ({marks})", table=table, marks=marks), row)


def _user(number: int, now: datetime) -> tuple[Any, ...]:
    began = _text(now - timedelta(days=DAYS))
    return (f"user-{number:03d}", f"user-{number:03d}@example.ru", began, began, "pro" if number % 5 == 0 else None)


def _key(number: int, now: datetime) -> tuple[Any, ...]:
    began = _text(now - timedelta(days=DAYS))
    hash_ = dirt.digest(f"rz_live_demo_{number:03d}")
    return (f"key-{number:03d}", f"user-{number:03d}", hash_, f"key {number}", began, None, None)


def _year(rows: int, now: datetime, chance: random.Random) -> Iterator[tuple[Any, ...]]:
    step = timedelta(days=DAYS) / (rows + 1)
    for number in range(rows):
        yield request(chance, now - timedelta(days=DAYS) + step * (number + 1))


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
