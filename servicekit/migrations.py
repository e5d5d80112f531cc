"""Plain SQL migrations, forward only, by yoyo: one directory, one schema, one role that may run DDL."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from yoyo import get_backend, read_migrations


def migrate(dsn: str, directory: Path, schema: str) -> list[str]:
    """Apply what is new in `directory` to `schema` and return the names applied, in order.

    Two migrators at once are safe: the second waits for the first one's lock. Blocking: call it from `__main__`.

    Args:
        dsn: postgresql:// of the schema's owner.
        directory: files `NNNN_what.sql`.
        schema: where the tables and yoyo's own book-keeping go.
    """
    backend = get_backend(_with_schema(dsn, schema))
    with backend.lock(timeout=60):
        pending = backend.to_apply(read_migrations(str(directory)))
        names = [migration.id for migration in pending]
        backend.apply_migrations(pending)
    return names


def _with_schema(dsn: str, schema: str) -> str:
    # yoyo picks psycopg 3 by the scheme; search_path makes its own tables land in the service's schema.
    parts = urlsplit(dsn)
    query = "&".join(filter(None, (parts.query, "options=" + quote(f"-csearch_path={schema}"))))
    return urlunsplit(("postgresql+psycopg", parts.netloc, parts.path, query, ""))
