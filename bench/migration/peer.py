"""pgloader on the same rows: into a plain table with the same indexes, since it does not see a partitioned one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import psycopg

from bench.migration.programs import Measured, measure
from bench.migration.server import Server

NAME: Final = "pgloader_bench"
_TABLE: Final = """
CREATE TABLE usage (
    id uuid NOT NULL, user_id text NOT NULL, provider text NOT NULL, model text NOT NULL, tokens_input integer NOT NULL,
    tokens_output integer NOT NULL, cost numeric(10, 6) NOT NULL, created_at timestamptz NOT NULL,
    PRIMARY KEY (id, created_at)
);
CREATE INDEX ON usage (user_id, created_at);
CREATE INDEX ON usage (created_at, id);
CREATE INDEX ON usage USING brin (created_at);
"""
_ORDER: Final = """
LOAD DATABASE FROM sqlite://{source} INTO {target}
WITH data only, include no drop, create no tables, create no indexes, reset no sequences
SET timezone TO 'UTC'
INCLUDING ONLY TABLE NAMES LIKE 'usage';
"""


def is_there() -> bool:
    """Tell whether pgloader is on the PATH."""
    return shutil.which("pgloader") is not None


def load(server: Server, source: Path, folder: Path) -> tuple[Measured, int]:
    """Have pgloader move the rows; return what it used, and how many rows are there then."""
    with psycopg.connect(server.dsn, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {NAME}")
    target = urlunsplit(urlsplit(server.dsn)._replace(path=f"/{NAME}"))
    with psycopg.connect(target) as connection:
        connection.execute(_TABLE)
    order = folder / "usage.load"
    order.write_text(_ORDER.format(source=source, target=target))
    environment: Mapping[str, str] = {}
    measured = measure(["pgloader", str(order)], environment)
    with psycopg.connect(target) as connection:
        row = connection.execute("SELECT count(*) FROM usage").fetchone()
    return measured, 0 if row is None else int(row[0])
