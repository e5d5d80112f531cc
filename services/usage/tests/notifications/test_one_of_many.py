"""Somebody whose spending cannot be read in time keeps nobody else from being told."""

from __future__ import annotations

import random
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.usage.v1 import notifications_pb2 as pb

from servicekit.errors import ErrorReason, Unavailable
from servicekit.mail.settings import SmtpSettings
from servicekit.testing import FakeClock
from services.usage.forecasting.domain.forecast import LimitDates
from services.usage.notifications.assembly import Surroundings, open_notifications
from services.usage.notifications.forgetting import forgetting_elsewhere
from services.usage.notifications.settings import (
    NotificationOptions,
    NotificationSettings,
    TelegramSettings,
    WebhookSettings,
)
from services.usage.reports.store.forgetting import ending_schedules
from services.usage.tests.notifications.conftest import House, Pool


def watched(user_id: str) -> pb.WatchedPerson:
    ends = Timestamp(seconds=1_796_083_200)
    budget = pb.WatchedBudget(
        subject=f"user:{user_id}", limit_micro_rub=5_000_000, name="всё", period="month", ends_at=ends
    )
    return pb.WatchedPerson(user_id=user_id, language="ru", time_zone="Europe/Moscow", budgets=[budget])


async def test_others_of_the_same_batch_are_looked_at_all_the_same(pool: Pool, clock: FakeClock) -> None:
    """A hundred people come at once; the gateway hears that one of them was missed."""
    looked_at = list[str]()

    async def foretell(user_id: str, *_: Any, **__: Any) -> LimitDates:
        looked_at.append(user_id)
        raise Unavailable(ErrorReason.DATABASE_ERROR, "The database is unavailable. Try again.")

    options = NotificationOptions(NotificationSettings(), WebhookSettings(), TelegramSettings(), SmtpSettings())
    around = Surroundings(foretell, forgetting_elsewhere(pool), ending_schedules(pool))
    async with open_notifications(pool, options, around=around, clock=clock, rng=random.Random(7)) as opened:
        house, people = House(opened), ("user-1", "user-2", "user-3")
        for user_id in people:
            channel = await house.channel(pb.CHANNEL_KIND_EMAIL, user_id=user_id)
            await house.rule("budget.forecast", [channel], user_id)

        with pytest.raises(Unavailable):
            await house.rpc(pb.PutPeopleRequest(people=[watched(user_id) for user_id in people]))

    assert looked_at == [*people]
