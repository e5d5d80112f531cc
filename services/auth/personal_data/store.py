"""Reads what auth stores of a user and grows with the years, a page at a time: keys, logins, audit log events."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from servicekit.errors import InvalidRequest, invalid_parameter
from servicekit.postgres import checked_length
from services.auth.shared.store.named_user import reading_rows_of
from services.auth.shared.store.unit_of_work import Pool

LARGEST_SEQ: Final = 2**63 - 1
EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MOMENT_AND_ID: Final = re.compile("([0-9]{1,17})-(.{1,128})", re.DOTALL)

# Secrets and hashes of secrets are not in the lists of columns.
LIST_KEYS: Final = """
SELECT (extract(epoch FROM created_at) * 1000000)::bigint || '-' || id AS place, to_jsonb(listed)::text AS row_json
FROM (
    SELECT id, name, prefix, last_four, scopes, models, ip_allow_list, budget_micro_rub, budget_period,
           created_at, expires_at, last_used_at, revoked_at, cache_ttl_s
    FROM auth.api_keys
    WHERE user_id = $1 AND (created_at, id) > ($2, $3)
    ORDER BY created_at, id
    LIMIT $4
) AS listed
"""

LIST_LOGIN_ATTEMPTS: Final = """
SELECT (extract(epoch FROM at) * 1000000)::bigint || '-' || id AS place, (to_jsonb(listed) - 'id')::text AS row_json
FROM (
    SELECT id, at, outcome, ip, user_agent
    FROM auth.login_attempts
    WHERE user_id = $1 AND (at, id) > ($2, $3)
    ORDER BY at, id
    LIMIT $4
) AS listed
"""

LIST_ACCOUNT_EVENTS: Final = """
SELECT seq::text AS place, to_jsonb(listed)::text AS row_json
FROM (
    SELECT seq, at, actor, action, details
    FROM auth.audit_log
    WHERE subject = 'user:' || $1 AND seq > $2
    ORDER BY seq
    LIMIT $3
) AS listed
"""

# Each subject gives what it has behind the last page: a page costs the same however long the log is. What others did at
# an application of theirs is not told, and where an administrator sat neither.
LIST_CREDENTIAL_EVENTS: Final = """
SELECT seq::text AS place, to_jsonb(listed)::text AS row_json
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


def _seq(page: str) -> tuple[int]:
    if not page:
        return (0,)
    if page.isascii() and page.isdigit() and int(page) <= LARGEST_SEQ:
        return (int(page),)
    raise _no_such_page()


def _moment_and_id(page: str) -> tuple[datetime, str]:
    if not page:
        return EPOCH, ""
    found = _MOMENT_AND_ID.fullmatch(page)
    if found is None:
        raise _no_such_page()
    return EPOCH + timedelta(microseconds=int(found[1])), found[2]


def _moment_and_number(page: str) -> tuple[datetime, int]:
    at, id = _moment_and_id(page)
    return at, *_seq(id)


def _no_such_page() -> InvalidRequest:
    return invalid_parameter("page", "There is no such page.")


@dataclass(frozen=True, slots=True)
class _Part:
    """How the rows of a part are read, and what the name of a page means: behind which row it begins."""

    sql: str
    begins: Callable[[str], tuple[Any, ...]]


_PARTS: Final[Mapping[str, _Part]] = {
    "api_keys": _Part(LIST_KEYS, _moment_and_id),
    "login_attempts": _Part(LIST_LOGIN_ATTEMPTS, _moment_and_number),
    "audit_log": _Part(LIST_ACCOUNT_EVENTS, _seq),
    "credential_audit_log": _Part(LIST_CREDENTIAL_EVENTS, _seq),
}


class PersonalDataStore:
    """Reads the parts."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(self, user_id: str, part: str, page: str, most: int) -> tuple[list[str], str]:
        """Return a page as JSON texts, oldest first, and the name of the next, "" behind the last.

        Raises:
            InvalidRequest: there is no such part or page, or it would be too long.
            Unavailable: the database cannot be used now.
        """
        asked = _PARTS.get(part)
        if asked is None:
            raise invalid_parameter("part", "There is no such part.")
        begins = asked.begins(page)
        async with reading_rows_of(self._pool, user_id) as connection:
            # One more tells whether there is another page.
            rows = await connection.fetch(asked.sql, user_id, *begins, checked_length(most) + 1)
        listed = rows[:most]
        return [row["row_json"] for row in listed], listed[-1]["place"] if len(rows) > most else ""
