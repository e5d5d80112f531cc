"""Reads a user's notifications, reports and findings; columns with secrets are not listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import asyncpg
import msgspec

from servicekit.errors import invalid_parameter
from servicekit.postgres import json_page, sql
from services.usage.notifications.domain.channel import Channel
from services.usage.notifications.store.channels import ChannelStore
from services.usage.store.connection import connection_of

# What leads to the receiver of a channel is sealed: only who keeps channels can tell it.
CHANNELS: Final = "notification_channels"
_PAGE: Final = """
SELECT to_jsonb(listed)::text AS row_json, {moment} AS moment, id::text AS id
FROM (
    SELECT {columns}
    FROM usage.{table}
    WHERE user_id = $1
) AS listed
WHERE $2::timestamptz IS NULL OR ({moment}, id::text) > ($2, $3::text)
ORDER BY {moment}, id::text
LIMIT $4
"""
LIST_RULES: Final = sql(
    _PAGE,
    table="notification_rules",
    moment="created_at",
    columns="id, kind, subject, thresholds, channel_ids, cooldown_s, enabled, created_at, maker",
)
LIST_SCHEDULES: Final = sql(
    _PAGE,
    table="report_schedules",
    moment="created_at",
    columns="id, every, at, wishes, when_empty, paused, next_at, created_at, maker",
)
# Without the key that signs links to its file.
LIST_REPORTS: Final = sql(
    _PAGE,
    table="reports",
    moment="created_at",
    columns="""id, ordered, status, rows_total, error, size_bytes, encode(sha256, 'hex') AS sha256, schedule_id,
        snapshot_at, created_at, finished_at, expires_at""",
)
LIST_ANOMALIES: Final = sql(
    _PAGE,
    table="incidents",
    moment="begins_at",
    columns="""id, grain, begins_at, ends_at, zone, expected_micro_rub, actual_micro_rub, cause_dimension, cause_value,
        cause_expected_micro_rub, cause_actual_micro_rub, found_at, feedback, feedback_at""",
)
LIST_RECOMMENDATIONS: Final = sql(
    _PAGE,
    table="recommendations",
    moment="first_seen",
    columns="""id, kind, subject, texts, evidence, saving_min_micro_rub, saving_max_micro_rub, confidence, first_seen,
        last_seen, state, reason, decided_at, realised_micro_rub, realised_at""",
)
PARTS: Final[Mapping[str, str]] = {
    "alert_rules": LIST_RULES,
    "report_schedules": LIST_SCHEDULES,
    "reports": LIST_REPORTS,
    "anomalies": LIST_ANOMALIES,
    "recommendations": LIST_RECOMMENDATIONS,
}
_encode: Final = msgspec.json.Encoder().encode


class PersonalData:
    """A person's stored data."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], channels: ChannelStore) -> None:
        self._pool = pool
        self._channels = channels

    async def page(self, user_id: str, part: str, page: str, most: int) -> tuple[list[str], str]:
        """Return a page of a part as JSON texts, oldest first, and the name of the next, "" behind the last.

        Channels are one page: a user has few.

        Raises:
            InvalidRequest: there is no such part or page, or it would be too long.
            Unavailable: the database cannot be used now.
        """
        if part == CHANNELS:
            return [_channel(channel) for channel in await self._channels.list_of(user_id)], ""
        if part not in PARTS:
            raise invalid_parameter("part", "There is no such part.")
        async with connection_of(self._pool, user_id) as connection:
            return await json_page(connection, PARTS[part], user_id, page, most)


def _channel(channel: Channel) -> str:
    told = {
        "id": channel.id,
        "kind": channel.kind,
        "name": channel.name,
        "target": channel.target,
        "disabled": channel.disabled,
        "failing_since": channel.failing_since,
        "created_at": channel.created_at,
        "maker": channel.maker,
    }
    return _encode(told).decode()
