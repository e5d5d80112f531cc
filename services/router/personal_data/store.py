"""Reads metadata of a user's files and batches; their contents stay encrypted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from servicekit.errors import invalid_parameter
from servicekit.postgres import database_errors, json_page
from services.router.store import Pool

# An upload that is not complete is no file yet.
LIST_FILES: Final = """
SELECT to_jsonb(listed)::text AS row_json, created_at AS moment, id
FROM (
    SELECT id, application, filename, purpose, size_bytes, created_at, expires_at
    FROM router.files
    WHERE owner = $1 AND purpose <> ''
) AS listed
WHERE $2::timestamptz IS NULL OR (created_at, id) > ($2, $3::text)
ORDER BY created_at, id
LIMIT $4
"""
# Counts of the page's own batches only: those of one that runs are counted line by line.
LIST_BATCHES: Final = """
SELECT to_jsonb(counted)::text AS row_json, created_at AS moment, id
FROM (
    SELECT b.id, b.application, b.key_id, b.endpoint, b.input_file_id, b.status, b.output_file_id, b.error_file_id,
        b.created_at, b.expires_at, b.moments, b.metadata, b.errors,
        b.total + l.total AS total, b.completed + l.completed AS completed, b.failed + l.failed AS failed
    FROM (
        SELECT id, application, key_id, endpoint, input_file_id, status, output_file_id, error_file_id, created_at,
            expires_at, moments, metadata, errors, total, completed, failed
        FROM router.batches
        WHERE owner = $1 AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3::text))
        ORDER BY created_at, id
        LIMIT $4
    ) AS b
    CROSS JOIN LATERAL (
        SELECT count(*)::integer AS total,
            count(*) FILTER (WHERE state = 'completed')::integer AS completed,
            count(*) FILTER (WHERE state = 'failed')::integer AS failed
        FROM router.batch_lines
        WHERE batch_id = b.id AND b.status <> 'validating'
    ) AS l
) AS counted
ORDER BY created_at, id
"""
PARTS: Final[Mapping[str, str]] = {"files": LIST_FILES, "batches": LIST_BATCHES}


class PersonalData:
    """A person's stored data, whichever of their keys or applications created it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(self, user_id: str, part: str, page: str, most: int) -> tuple[list[str], str]:
        """Return a page of a part as JSON texts, oldest first, and the name of the next, "" behind the last.

        Raises:
            InvalidRequest: there is no such part or page, or it would be too long.
            Unavailable: the database cannot be used now.
        """
        if part not in PARTS:
            raise invalid_parameter("part", "There is no such part.")
        with database_errors():
            return await json_page(self._pool, PARTS[part], user_id, page, most)
