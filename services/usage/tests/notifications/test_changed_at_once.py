"""Two who change one thing at once: both changes are there afterwards, and none waits for the other in a circle."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

import asyncpg
from razvilka.usage.v1 import notifications_pb2 as pb

from services.usage.tests.notifications.conftest import USER, House
from services.usage.tests.notifications.receivers import Receiver

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def at_once(pool: Pool, table: str, *calls: Any) -> list[Any]:
    """Return what the calls return that all wait for the same rows, and are let go together."""
    async with pool.acquire() as other, other.transaction():
        await other.execute("SELECT set_config('razvilka.user', '*', true)")
        await other.execute(f"SELECT FROM usage.{table} FOR UPDATE")
        asking = [asyncio.ensure_future(call) for call in calls]
        async with asyncio.timeout(60):
            while await pool.fetchval(WAITING) < len(asking):
                await asyncio.sleep(0.01)
    return await asyncio.gather(*asking)


async def test_two_changes_of_a_rule_are_both_kept(house: House, receiver: Receiver, pool: Pool) -> None:
    """A field that one does not name is what the other made of it."""
    hook = (await house.webhook(receiver.url)).channel.id
    rule = await house.rule("anomaly.detected", [hook])
    says = [pb.NotificationRule(id=rule, cooldown_s=3600), pb.NotificationRule(id=rule, enabled=False)]
    changes = [
        pb.ChangeRuleRequest(user_id=USER, rule=each, fields=[field])
        for each, field in zip(says, ("cooldown_s", "enabled"), strict=True)
    ]

    await at_once(pool, "notification_rules", *map(house.rpc, changes))

    (kept,) = (await house.rpc(pb.ListRulesRequest(user_id=USER))).rules
    assert (kept.cooldown_s, kept.enabled) == (3600, False)


async def test_a_new_name_switches_no_channel_on_again(house: House, receiver: Receiver, pool: Pool) -> None:
    """Nor does it bring a secret back, or whatever else another changes at that moment."""
    hook = (await house.webhook(receiver.url)).channel.id

    await at_once(
        *(pool, "notification_channels"),
        house.rpc(pb.ChangeChannelRequest(user_id=USER, id=hook, name="the new one")),
        house.rpc(pb.ChangeChannelRequest(user_id=USER, id=hook, enabled=False)),
    )

    (kept,) = await house.channels()
    assert (kept.name, kept.disabled) == ("the new one", "owner")


async def test_a_channel_is_deleted_while_its_rule_tells(house: House, receiver: Receiver, pool: Pool) -> None:
    """Whoever tells holds the rule and wants the channel: whoever deletes takes them in the same order."""
    hook = (await house.webhook(receiver.url)).channel.id
    await house.rule("anomaly.detected", [hook])

    async with pool.acquire() as telling, telling.transaction():
        await telling.execute("SELECT set_config('razvilka.user', '*', true)")
        await telling.execute("SELECT FROM usage.notification_rules FOR UPDATE")
        deleting = asyncio.create_task(house.rpc(pb.DeleteChannelRequest(user_id=USER, id=hook)))
        async with asyncio.timeout(60):
            while not await pool.fetchval(WAITING):
                await asyncio.sleep(0.01)
        await telling.execute("SELECT FROM usage.notification_channels FOR KEY SHARE NOWAIT")
    await deleting

    assert await house.channels() == []
    (rule,) = (await house.rpc(pb.ListRulesRequest(user_id=USER))).rules
    assert list(rule.channel_ids) == []
