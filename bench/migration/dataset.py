"""A clean database of release 1.0: a year of requests, of which few users have most."""

from __future__ import annotations

import random
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

USERS: Final = 1_000
BEGIN: Final = datetime(2025, 1, 1, tzinfo=UTC)
YEAR: Final = timedelta(days=365)
MODELS: Final = (("gigachat", "gigachat"), ("gigachat", "gigachat-pro"), ("yandexgpt", "yandexgpt-lite:latest"))
SCHEMA: Final = """
CREATE TABLE users (id TEXT PRIMARY KEY, email TEXT, created_at TIMESTAMP, updated_at TIMESTAMP);
CREATE TABLE api_keys (id TEXT PRIMARY KEY, user_id TEXT REFERENCES users(id), key_hash TEXT, name TEXT,
    created_at TIMESTAMP, expires_at TIMESTAMP, last_used_at TIMESTAMP);
CREATE TABLE usage (id TEXT PRIMARY KEY, user_id TEXT REFERENCES users(id), provider TEXT, model TEXT,
    tokens_input INTEGER, tokens_output INTEGER, cost REAL, created_at TIMESTAMP);
"""
_INSERT: Final = "INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def make_clean(path: Path, rows: int) -> None:
    """Make the database, the same each time."""
    chance = random.Random(20250101)  # noqa: S311 - no secrets
    users = [str(_uuid(chance)) for _ in range(USERS)]
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; " + SCHEMA)
        when = BEGIN.strftime("%Y-%m-%d %H:%M:%S")
        people = ((user, f"{user}@example.org", when, when) for user in users)
        database.executemany("INSERT INTO users VALUES (?, ?, ?, ?)", people)
        database.executemany(_INSERT, _requests(chance, users, rows))


def _requests(chance: random.Random, users: list[str], rows: int) -> Iterator[tuple[Any, ...]]:
    for number in range(rows):
        at = BEGIN + YEAR * (number / rows)
        # Of 1,000 users the first 100 have a third of the rows.
        user = users[int(USERS * chance.random() ** 2)]
        provider, model = MODELS[int(len(MODELS) * chance.random() ** 2)]
        tokens = int(chance.expovariate(1 / 400)) + 1
        cost = tokens * 1_500 / 1e6
        yield str(_uuid(chance)), user, provider, model, tokens, tokens // 3, cost, at.strftime("%Y-%m-%d %H:%M:%S")


def _uuid(chance: random.Random) -> uuid.UUID:
    return uuid.UUID(int=chance.getrandbits(128), version=4)
