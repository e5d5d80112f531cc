"""What a newer release has made: it is left to that, and keeps nothing else from being told."""

from __future__ import annotations

from datetime import timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.usage.v1 import notifications_pb2 as pb

from servicekit.testing.fake_clock import MIDDAY
from services.usage.store.connection import NAME_USER
from services.usage.tests.notifications.conftest import USER, House, Pool

# Due before the one that is there.
STRANGE_EVENT = """
WITH strange AS (
    INSERT INTO usage.notification_events (id, user_id, rule_id, kind, subject, dedupe_key, facts, occurred_at)
    SELECT gen_random_uuid(), user_id, rule_id, 'rain.expected', subject, 'rain', '{}', occurred_at
    FROM usage.notification_events
    RETURNING id
)
INSERT INTO usage.notification_deliveries (id, event_id, channel_id, user_id, next_attempt_at, created_at)
SELECT gen_random_uuid(), strange.id, channel_id, user_id, next_attempt_at - interval '1 hour', created_at
FROM usage.notification_deliveries, strange
"""


async def meet_with_a_key_that_ends(house: House) -> None:
    """Have everything looked at; there is something to tell."""
    ends = Timestamp()
    ends.FromDatetime(MIDDAY + timedelta(days=5))
    await house.meet(keys=[pb.WatchedKey(id="key-1", name="ci", expires_at=ends)])


async def test_a_rule_of_another_version_keeps_no_other_from_being_looked_at(house: House, pool: Pool) -> None:
    """Beside a newer release, or after the way back; nor everybody who is looked at after its owner."""
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    strange = await house.rule("budget.threshold", [channel_id])
    await house.rule("key.expiring", [channel_id])
    async with pool.acquire() as connection:
        await connection.execute(NAME_USER, USER)
        await connection.execute("UPDATE usage.notification_rules SET kind = 'rain.expected' WHERE id = $1", strange)

    await meet_with_a_key_that_ends(house)

    assert [each.kind for each in await house.history(channel_id)] == ["key.expiring"]
    rules = await house.rpc(pb.ListRulesRequest(user_id=USER))
    assert [rule.kind for rule in rules.rules] == ["key.expiring"]


async def test_what_another_version_has_to_send_keeps_nothing_else_from_going_out(house: House, pool: Pool) -> None:
    """It waits for who has words for it."""
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("key.expiring", [channel_id])
    await meet_with_a_key_that_ends(house)
    async with pool.acquire() as connection:
        await connection.execute(NAME_USER, USER)
        await connection.execute(STRANGE_EVENT)

    await house.deliver()

    async with pool.acquire() as connection:
        await connection.execute(NAME_USER, USER)
        states = await connection.fetch(
            "SELECT event.kind, delivery.state FROM usage.notification_deliveries AS delivery "
            "JOIN usage.notification_events AS event ON event.id = delivery.event_id ORDER BY event.kind"
        )
    assert [each.kind for each in await house.history(channel_id)] == ["key.expiring"]
    assert list(map(tuple, states)) == [("key.expiring", "delivered"), ("rain.expected", "pending")]
