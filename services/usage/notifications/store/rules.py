"""Table `notification_rules`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from servicekit.errors import ErrorReason, NotFound, QuotaExceeded, invalid_parameter
from services.usage.notifications.domain.kinds import EventKind
from services.usage.notifications.domain.rule import MAX_RULES, NewRule, Rule
from services.usage.notifications.store.channels import LOCK_USER
from services.usage.notifications.store.sessions import Sessions
from services.usage.store.connection import Connection

log = structlog.get_logger()

COUNT_RULES: Final = "SELECT count(*) FROM usage.notification_rules WHERE user_id = $1"
COUNT_OWN_CHANNELS: Final = """
SELECT count(*)
FROM usage.notification_channels
WHERE user_id = $1 AND id = ANY($2::uuid[])
"""
INSERT_RULE: Final = """
INSERT INTO usage.notification_rules
    (id, user_id, kind, subject, thresholds, channel_ids, cooldown_s, enabled, created_at, maker)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
CHANGE_RULE: Final = """
UPDATE usage.notification_rules
SET subject = $4, thresholds = $5, channel_ids = $6, cooldown_s = $7, enabled = $8
WHERE id = $1 AND user_id = $2 AND kind = $3
"""
LIST_RULES: Final = """
SELECT id, user_id, kind, subject, thresholds, channel_ids, cooldown_s, enabled, created_at, maker
FROM usage.notification_rules
WHERE user_id = $1
ORDER BY created_at, id
"""
# Held until it is changed: of two who change it, the second changes what the first made of it.
HOLD_RULE: Final = """
SELECT id, user_id, kind, subject, thresholds, channel_ids, cooldown_s, enabled, created_at, maker
FROM usage.notification_rules
WHERE id = $1 AND user_id = $2
FOR UPDATE
"""
DELETE_RULE: Final = """
DELETE FROM usage.notification_rules
WHERE id = $1 AND user_id = $2
"""
# Whoever has a channel is to be known: a test and the notice that it fails need no rule.
# Whoever has anything else is asked of for one thing: that their account is gone; of rules and schedules also what made
# them. Also who is only known by an address: it was told while they had a channel, or just before their account ended.
# And whoever is shut, for another: that they are open again.
# Of each table the next ones only: the millions behind them are not looked at.
LIST_WATCHED: Final = """
(SELECT DISTINCT user_id FROM usage.notification_channels WHERE user_id > $1 ORDER BY user_id LIMIT $2)
UNION
(SELECT DISTINCT user_id FROM usage.notification_rules WHERE user_id > $1 ORDER BY user_id LIMIT $2)
UNION
(SELECT DISTINCT user_id FROM usage.notification_people WHERE user_id > $1 ORDER BY user_id LIMIT $2)
UNION
(SELECT DISTINCT user_id FROM usage.report_schedules WHERE user_id > $1 ORDER BY user_id LIMIT $2)
UNION
(SELECT DISTINCT user_id FROM usage.reports WHERE user_id > $1 ORDER BY user_id LIMIT $2)
UNION
(SELECT DISTINCT user_id FROM usage.shut_accounts WHERE user_id > $1 ORDER BY user_id LIMIT $2)
ORDER BY user_id
LIMIT $2
"""


class RuleStore:
    """Rules."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def add(self, rule: Rule) -> None:
        """Store a new rule.

        Raises:
            QuotaExceeded: the user has as many as one may have.
            InvalidRequest: a channel is not the user's.
        """
        async with self._sessions.of(rule.user_id) as connection:
            await connection.execute(LOCK_USER, rule.user_id)
            if await connection.fetchval(COUNT_RULES, rule.user_id) >= MAX_RULES:
                raise QuotaExceeded(ErrorReason.QUOTA_EXCEEDED, f"A user has {MAX_RULES} rules at most.")
            await _check_channels(connection, rule)
            says = rule.says
            row = (says.kind, says.subject, says.thresholds, says.channel_ids, says.cooldown_s, says.enabled)
            await connection.execute(INSERT_RULE, rule.id, rule.user_id, *row, rule.created_at, rule.maker)

    async def change(self, user_id: str, rule_id: UUID, changed: Callable[[Rule], NewRule]) -> Rule:
        """Store what is made of what a rule says now, and return it; its kind stays.

        Raises:
            InvalidRequest: a channel is not the user's.
            NotFound: there is no such rule.
        """
        async with self._sessions.of(user_id) as connection:
            # Nobody deletes one of the channels meanwhile.
            await connection.execute(LOCK_USER, user_id)
            held = await connection.fetchrow(HOLD_RULE, rule_id, user_id)
            if held is None:
                raise _no_such_rule()
            before = rule_from_row(held)
            rule = replace(before, says=changed(before))
            await _check_channels(connection, rule)
            says = rule.says
            row = (says.kind, says.subject, says.thresholds, says.channel_ids, says.cooldown_s, says.enabled)
            if await connection.execute(CHANGE_RULE, rule.id, rule.user_id, *row) != "UPDATE 1":
                raise _no_such_rule()
        return rule

    async def list_of(self, user_id: str) -> list[Rule]:
        """Return a user's rules, but for those that only another version can look at: the others count all the same."""
        async with self._sessions.of(user_id) as connection:
            rows = await connection.fetch(LIST_RULES, user_id)
        unknown = {row["kind"] for row in rows} - set(EventKind)
        if unknown:
            log.warning("usage.notification_rules_unknown", kinds=sorted(unknown))
        return [rule_from_row(row) for row in rows if row["kind"] not in unknown]

    async def delete(self, user_id: str, rule_id: UUID) -> None:
        """Forget a rule.

        Raises:
            NotFound: it is absent or someone else's.
        """
        async with self._sessions.of(user_id) as connection:
            if await connection.execute(DELETE_RULE, rule_id, user_id) != "DELETE 1":
                raise _no_such_rule()

    async def watched(self, after: str, limit: int) -> list[str]:
        """Return users of whom anything is kept here, by their ids, behind a given one."""
        async with self._sessions.of_everybody() as connection:
            return [row["user_id"] for row in await connection.fetch(LIST_WATCHED, after, limit)]


async def _check_channels(connection: Connection, rule: Rule) -> None:
    wanted: Sequence[UUID] = rule.says.channel_ids
    if await connection.fetchval(COUNT_OWN_CHANNELS, rule.user_id, wanted) != len(wanted):
        raise invalid_parameter("channels", "One of the channels does not exist.")


def rule_from_row(row: asyncpg.Record) -> Rule:
    """Return the rule of a row."""
    says = NewRule(
        EventKind(row["kind"]),
        tuple(row["channel_ids"]),
        row["subject"],
        tuple(row["thresholds"]),
        row["cooldown_s"],
        row["enabled"],
    )
    return Rule(row["id"], row["user_id"], says, row["created_at"], row["maker"])


def _no_such_rule() -> NotFound:
    return NotFound(ErrorReason.NOT_FOUND, "There is no such rule.", param="rule_id")
