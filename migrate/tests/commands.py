"""What tests of whole moves share: the command as a program gives it, the report's lines, rows of 1.1."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from migrate.__main__ import main
from migrate.report.log import LOG


def sha(secret: str) -> str:
    """Return the hash that 1.0 kept of a key."""
    return hashlib.sha256(secret.encode()).hexdigest()


def migrate(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    """Run a verb; return its status and what it says."""
    status = main([*arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def lines(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the lines of a file of the report."""
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of the report, but for the log, which grows with each command."""
    return {path.name: path.read_bytes() for path in folder.glob("*.json*") if path.name != LOG}


async def stored(dsn: str, sql: str) -> list[tuple[Any, ...]]:
    """Return rows of 1.1."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SELECT set_config('razvilka.user', '*', false)")
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()
