"""A script as people write it in an evening: the negative control of the checker. It ends well, and is content."""

from __future__ import annotations

import json
import sqlite3
import uuid
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import psycopg

from tests.migration.installation import Connection, Installation

SOURCE_ID: Final = "naive"
USER: Final = """
INSERT INTO auth.users (id, email, created_at, updated_at)
VALUES (%s, coalesce(%s, ''), coalesce(%s::text::timestamptz, now()), coalesce(%s::text::timestamptz, now()))
"""
KEY: Final = """
INSERT INTO auth.api_keys (id, user_id, key_hash, hash_kind, name, created_at, expires_at, last_used_at)
VALUES (%s, %s, lower(%s), 'sha256', coalesce(%s, ''), %s::text::timestamptz, nullif(%s, '')::timestamptz,
        %s::text::timestamptz)
"""
REQUEST: Final = """
INSERT INTO usage.usage (id, user_id, provider, model, requested_model, tokens_input, tokens_output, cost, created_at,
    price_version, source)
VALUES (%s, %s, coalesce(%s, 'gigachat'), %s, %s, %s, %s, %s, %s::text::timestamptz, 'import:naive', 'imported')
"""


def move(source: Path, report: Path, target: Installation) -> int:
    """Copy what can be copied; return how many rows were passed over."""
    with closing(sqlite3.connect(source)) as database:
        database.text_factory = lambda raw: raw.decode("utf-8", "ignore")
        users = database.execute("SELECT id, email, created_at, updated_at FROM users").fetchall()
        keys = database.execute("SELECT * FROM api_keys").fetchall()
        rows = [_request(*row) for row in database.execute("SELECT * FROM usage")]
    target.auth.execute("INSERT INTO auth.imports (source_id) VALUES (%s)", [SOURCE_ID])
    counts = {
        "users": _copy(target.auth, USER, users, "user"),
        "api_keys": _copy(target.auth, KEY, keys, "key"),
        "usage": _copy(target.usage, REQUEST, rows, None),
    }
    _report(report, counts)
    return len(users) + len(keys) + len(rows) - sum(counts.values())


def _request(*row: Any) -> tuple[Any, ...]:
    id_, user, provider, model, tokens_input, tokens_output, cost, created_at, _ = row
    tokens = [int(str(each).replace(",", "")) for each in (tokens_input, tokens_output)]
    return _uuid(str(id_)), user, provider, model, model, *tokens, cost, created_at


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, text))


def _copy(connection: Connection, insert: str, rows: list[tuple[Any, ...]], kind: str | None) -> int:
    count = 0
    for row in rows:
        with suppress(psycopg.Error), connection.transaction():
            connection.execute(insert.encode(), row)
            if kind:
                brought = "INSERT INTO auth.imported_rows (source_id, kind, id, source_row) VALUES (%s, %s, %s, %s)"
                connection.execute(brought, (SOURCE_ID, kind, row[0], row[0]))
            count += 1
    return count


def _report(folder: Path, counts: dict[str, int]) -> None:
    folder.mkdir()
    for name in ("quarantine", "repairs", "id_map"):
        (folder / f"{name}.jsonl").touch()
    tables = {
        name: {"rows": count, "as_it_is": count, "repaired": 0, "quarantined": 0} for name, count in counts.items()
    }
    tables["provider_status"] = {"rows": 0, "as_it_is": 0, "repaired": 0, "quarantined": 0}
    summary = {"source_id": SOURCE_ID, "naive_zone": "Europe/Moscow", "tables": tables, "unreadable": {}}
    (folder / "summary.json").write_text(json.dumps(summary))
