"""What a test of watching tells of budgets, and reads of what was told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.usage.v1 import notifications_pb2 as pb

from servicekit.testing.fake_clock import MIDDAY
from services.usage.tests.notifications.conftest import RUB, USER, House

MONTH = (MIDDAY.replace(day=1, hour=0), MIDDAY.replace(month=12, day=1, hour=0))


def stamp(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def budget(rub: int, subject: str = f"user:{USER}", **changes: Any) -> pb.WatchedBudget:
    begin, end = stamp(MONTH[0]), stamp(MONTH[1])
    given = {"name": "всё", "period": "month", "starts_at": begin, "ends_at": end, **changes}
    return pb.WatchedBudget(subject=subject, limit_micro_rub=rub * RUB, **given)


async def told(house: House, channel_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Return kinds and facts of what went by a channel, the oldest first."""
    history = await house.history(channel_id)
    found = sorted(history, key=lambda each: (each.occurred_at.seconds, each.kind))
    return [(each.kind, msgspec.json.decode(each.facts_json)) for each in found]
