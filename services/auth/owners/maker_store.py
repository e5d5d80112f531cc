"""Reads keys, grants and consents that created something kept by another service."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from servicekit.postgres import database_errors
from services.auth.owners.maker import Holding, Maker, maker_of
from services.auth.shared.store.unit_of_work import Pool

# A key and those that it was rotated to, which are younger: what it made goes on with them, as what it made of
# credentials does. What one of these made does not come back to the key before.
FIND_KEYS: Final = """
SELECT 'key:' || asked.id AS maker, k.scopes, auth.is_disabled('key:' || k.id) AS is_disabled
FROM auth.api_keys AS asked
JOIN auth.api_keys AS k
    ON k.lineage_id = asked.lineage_id AND k.user_id = asked.user_id
    AND (k.id = asked.id OR k.created_at > asked.created_at)
WHERE asked.id = ANY($1::text[]) AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)
"""
# One that is over for a week is deleted, as all of an application's are with it.
FIND_GRANTS: Final = """
SELECT 'grant:' || g.id AS maker, g.scopes,
    auth.is_disabled('grant:' || g.id, 'client:' || g.client_id) AS is_disabled
FROM auth.oauth_grants AS g
WHERE g.id = ANY($1::text[]) AND g.revoked_at IS NULL AND (g.expires_at IS NULL OR g.expires_at > $2)
"""
# What an application keeps elsewhere stands under the grant whose budget it spends, at which its user was asked. It may
# be over while one that came of it without asking goes on.
FIND_CONSENTS: Final = """
SELECT 'consent:' || asked.id AS maker, g.scopes,
    auth.is_disabled('grant:' || g.id, 'client:' || g.client_id) AS is_disabled
FROM unnest($1::text[]) AS asked (id)
JOIN auth.oauth_grants AS g ON g.id = asked.id OR g.consent_id = asked.id
WHERE g.revoked_at IS NULL AND (g.expires_at IS NULL OR g.expires_at > $2)
"""
STATEMENTS: Final = {"key": FIND_KEYS, "grant": FIND_GRANTS, "consent": FIND_CONSENTS}


class MakerStore:
    """Reads makers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, subjects: Sequence[str], now: datetime) -> list[Maker]:
        """Return how it stands with these; nothing of a kind that is none of ours."""
        ids: defaultdict[str, list[str]] = defaultdict(list)
        for subject in subjects:
            kind, _, id = subject.partition(":")
            ids[kind].append(id)
        holdings: defaultdict[str, list[Holding]] = defaultdict(list)
        with database_errors():
            for kind in ids.keys() & STATEMENTS.keys():
                for row in await self._pool.fetch(STATEMENTS[kind], ids[kind], now):
                    held = Holding(row["maker"], frozenset(row["scopes"]), row["is_disabled"])
                    holdings[held.maker].append(held)
        known = [subject for subject in subjects if subject.partition(":")[0] in STATEMENTS]
        return [maker_of(subject, holdings[subject]) for subject in known]
