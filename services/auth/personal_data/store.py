"""Reads audit log events about a user's credentials and applications."""

from __future__ import annotations

from typing import Final

from servicekit.errors import invalid_parameter
from servicekit.postgres import checked_length
from services.auth.shared.store.named_user import reading_rows_of
from services.auth.shared.store.unit_of_work import Pool

LARGEST_SEQ: Final = 2**63 - 1

# Each subject gives what it has behind the last page: a page costs the same however long the log is. What others did at
# an application of theirs is not told, and where an administrator sat neither.
LIST_CREDENTIAL_EVENTS: Final = """
SELECT seq, to_jsonb(listed)::text AS row_json
FROM (
    SELECT event.seq, event.at, event.actor, event.action, event.subject,
        CASE
            WHEN event.actor IN ('user:' || $1, own.subject) THEN event.details::jsonb
            ELSE event.details::jsonb - 'ip'
        END AS details
    FROM (
        SELECT 'key:' || id AS subject FROM auth.api_keys WHERE user_id = $1
        UNION ALL
        SELECT 'grant:' || id FROM auth.oauth_grants WHERE user_id = $1
        UNION ALL
        SELECT 'client:' || id FROM auth.oauth_clients WHERE owner_user_id = $1
    ) AS own
    CROSS JOIN LATERAL (
        SELECT seq, at, actor, action, subject, details
        FROM auth.audit_log
        WHERE subject = own.subject
            AND seq > $2
            AND (
                subject NOT LIKE 'client:%'
                OR action LIKE 'client.%'
                OR actor IN ('user:' || $1, own.subject)
            )
        ORDER BY seq
        LIMIT $3
    ) AS event
) AS listed
ORDER BY seq
LIMIT $3
"""


class CredentialEvents:
    """The history of a person's keys, grants and applications."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(self, user_id: str, page: str, most: int) -> tuple[list[str], str]:
        """Return a page as JSON texts, oldest first, and the name of the next, "" behind the last.

        Raises:
            InvalidRequest: there is no such page, or it would be too long.
            Unavailable: the database cannot be used now.
        """
        after = _seq(page)
        async with reading_rows_of(self._pool, user_id) as connection:
            # One more tells whether there is another page.
            rows = await connection.fetch(LIST_CREDENTIAL_EVENTS, user_id, after, checked_length(most) + 1)
        listed = rows[:most]
        return [row["row_json"] for row in listed], str(listed[-1]["seq"]) if len(rows) > most else ""


def _seq(page: str) -> int:
    if not page:
        return 0
    if page.isascii() and page.isdigit() and int(page) <= LARGEST_SEQ:
        return int(page)
    raise invalid_parameter("page", "There is no such page.")
