"""Webhooks: signed, to public addresses only, and nothing that a receiver does leaks or holds up others."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import timedelta

import asyncpg
import pytest
from aiohttp import web
from prometheus_client import REGISTRY
from razvilka.usage.v1 import notifications_pb2 as pb

from servicekit.errors import InvalidRequest, QuotaExceeded
from servicekit.testing import FakeClock
from servicekit.trust.sealing import CannotOpen
from services.usage.tests.notifications.conftest import USER, House, Pool, StartHouse
from services.usage.tests.notifications.hooks import ANOMALY, DAY_S, hooked
from services.usage.tests.notifications.receivers import Got, Receiver, answering, receiving, taken


def is_signed_by(got: Got, secret: str) -> bool:
    """Verify as the Standard Webhooks libraries do."""
    content = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    digest = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), content, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}" in got.headers["webhook-signature"].split()


async def test_an_event_arrives_signed_with_its_facts_and_its_text(
    house: House, receiver: Receiver, clock: FakeClock
) -> None:
    """Type, moment and facts for programs, the text for people, an id for repetitions."""
    _, secret = await hooked(house, receiver.url)
    await house.meet()

    told = await house.events.raise_event(USER, "anomaly.detected", "i-1", ANOMALY)
    await house.deliver()

    (got,) = receiver.got
    body = json.loads(got.body)
    assert told == 1
    assert is_signed_by(got, secret)
    assert int(got.headers["webhook-timestamp"]) == int(clock.now().timestamp())
    assert (body["type"], body["data"], body["timestamp"]) == ("anomaly.detected", ANOMALY, "2026-11-23T12:00:00Z")
    assert body["message"] == {"language": "ru", "subject": "Необычный расход", "text": "Расход вырос втрое."}
    assert set(got.headers) == {
        *("Host", "User-Agent", "Accept", "Accept-Encoding", "Content-Type", "Content-Length", "Connection"),
        *("webhook-id", "webhook-timestamp", "webhook-signature"),
    }


async def test_an_event_is_told_once_however_often_it_is_raised(house: House, receiver: Receiver) -> None:
    """Rooms that raise it again after a crash change nothing; another incident is another event."""
    await hooked(house, receiver.url)

    told = [await house.events.raise_event(USER, "anomaly.detected", key, ANOMALY) for key in ("i-1", "i-1", "i-2")]
    await house.deliver()

    assert told == [1, 0, 1]
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 2


async def test_both_secrets_sign_while_one_takes_the_place_of_the_other(
    house: House, receiver: Receiver, clock: FakeClock
) -> None:
    """A receiver that knows either of them can verify, until the overlap ends."""
    channel_id, old = await hooked(house, receiver.url)
    made = await house.rpc(pb.RotateSecretRequest(user_id=USER, id=channel_id, overlap_s=3600))
    for key in ("during", "after"):
        await house.events.raise_event(USER, "anomaly.detected", key, ANOMALY)
        await house.deliver()
        clock.advance(3600)

    during, after = receiver.got
    assert is_signed_by(during, old)
    assert is_signed_by(during, made.secret)
    assert not is_signed_by(after, old)
    assert is_signed_by(after, made.secret)


async def test_a_receiver_that_answers_500_for_a_day_gets_it_in_the_end_and_the_history_tells(
    house: House, receiver: Receiver, clock: FakeClock
) -> None:
    """The same id each time, pauses that grow, and every attempt on record."""
    channel_id, _ = await hooked(house, receiver.url)
    receiver.answer = answering(500)
    await house.events.raise_event(USER, "anomaly.detected", "i-1", ANOMALY)
    for _ in range(24 * 60):
        await house.deliver()
        clock.advance(60)
    receiver.answer = taken
    clock.advance(DAY_S)

    await house.deliver()

    (delivery,) = await house.history(channel_id)
    problems = [(attempt.problem, attempt.status) for attempt in delivery.attempts]
    assert delivery.state == "delivered"
    assert problems == [("status", 500)] * (len(problems) - 1) + [("", 204)]
    # 5 s, 5 min, 30 min, 2 h, 5 h and 10 h, each up to a fifth longer, fit into a day.
    assert len(problems) == 8
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1


async def test_retry_after_is_honoured(house: House, receiver: Receiver, clock: FakeClock) -> None:
    """Not a second earlier."""
    receiver.answer = answering(429, Retry_After="600")
    await hooked(house, receiver.url)
    await house.events.raise_event(USER, "anomaly.detected", "i-1", ANOMALY)
    await house.deliver()
    receiver.answer = taken
    clock.advance(599)
    await house.deliver()
    early = len(receiver.got)
    clock.advance(1)

    await house.deliver()

    assert (early, len(receiver.got)) == (1, 2)


async def test_a_receiver_that_is_gone_is_never_called_again_and_the_other_channels_tell(
    house: House, receiver: Receiver
) -> None:
    """410 ends it at once."""
    receiver.answer = answering(410)
    channel_id, _ = await hooked(house, receiver.url)
    async with receiving() as other:
        other_id = (await house.webhook(other.url)).channel.id
        await house.events.raise_event(USER, "anomaly.detected", "i-1", ANOMALY)
        await house.deliver()

        await house.deliver()

    (notice,) = other.got
    assert json.loads(notice.body)["type"] == "webhook.disabled"
    assert json.loads(notice.body)["data"]["channel_id"] == channel_id
    assert {channel.id: channel.disabled for channel in await house.channels()} == {channel_id: "gone", other_id: ""}


async def test_days_of_failures_end_a_webhook_and_its_owner_is_told_once(
    start_house: StartHouse, receiver: Receiver, clock: FakeClock
) -> None:
    """What waited is cancelled; switched on again it can be sent again."""
    house = await start_house(notifications={"disable_after_days": 2})
    receiver.answer = answering(500)
    channel_id, _ = await hooked(house, receiver.url)
    failures = REGISTRY.get_sample_value("razvilka_usage_notification_channels_disabled_total", {"channel": "webhook"})
    async with receiving() as other:
        await house.webhook(other.url)
        for hour in range(60):
            await house.events.raise_event(USER, "anomaly.detected", f"i-{hour}", ANOMALY)
            await house.deliver()
            clock.advance(3600)
        await house.deliver()
    ended = next(channel for channel in await house.channels() if channel.id == channel_id)
    states = {delivery.state for delivery in await house.history(channel_id)}
    receiver.answer = taken
    await house.rpc(pb.ChangeChannelRequest(user_id=USER, id=channel_id, enabled=True))
    oldest = (await house.history(channel_id))[-1]
    await house.rpc(pb.RedeliverRequest(user_id=USER, channel_id=channel_id, id=oldest.id))
    called_before = len(receiver.got)

    await house.deliver()

    assert ended.disabled == "failing"
    assert states <= {"cancelled", "failed"}
    assert [json.loads(got.body)["type"] for got in other.got] == ["webhook.disabled"]
    assert len(receiver.got) - called_before == 1
    assert receiver.got[-1].headers["webhook-id"] == oldest.event_id
    counted = REGISTRY.get_sample_value("razvilka_usage_notification_channels_disabled_total", {"channel": "webhook"})
    assert (counted or 0) - (failures or 0) == 1


async def test_two_senders_never_work_on_one_channel_and_a_dead_ones_is_taken_over(
    start_house: StartHouse, receiver: Receiver, clock: FakeClock
) -> None:
    """At least once: the attempt of a process that died is made again, under the same id."""
    first, second = await start_house(), await start_house()
    reached = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    receiver.answer = hang
    await hooked(first, receiver.url)
    await first.events.raise_event(USER, "anomaly.detected", "i-1", ANOMALY)
    dying = asyncio.ensure_future(first.deliver())
    await reached.wait()
    receiver.answer = taken
    await second.deliver()
    while_leased = len(receiver.got)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    clock.advance(timedelta(minutes=5).total_seconds())

    await second.deliver()

    assert while_leased == 1
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert len(receiver.got) == 2


async def test_a_channel_that_a_clock_ahead_gave_back_is_served_when_it_is_right_again(
    house: House, receiver: Receiver, clock: FakeClock, pool: Pool
) -> None:
    """Its lease ended when that clock said; notices waited for as long as it had been ahead."""
    await hooked(house, receiver.url)
    await pool.execute("UPDATE usage.notification_channels SET leased_until = leased_until + interval '1 day'")
    await house.events.raise_event(USER, "anomaly.detected", "i-1", ANOMALY)

    await house.deliver()
    clock.advance(timedelta(minutes=5).total_seconds())
    await house.deliver()

    assert len(receiver.got) == 1


async def test_a_test_arrives_and_is_no_way_to_call_somebody_in_a_loop(
    house: House, receiver: Receiver, clock: FakeClock
) -> None:
    """One in ten seconds; the second press says how long to wait."""
    made = await house.webhook(receiver.url)
    order = pb.TestChannelRequest(user_id=USER, id=made.channel.id)
    await house.rpc(order)
    clock.advance(6.5)
    with pytest.raises(QuotaExceeded, match="wait 4 s") as refused:
        await house.rpc(order)
    clock.advance(refused.value.retry_after_s or 0)
    await house.rpc(order)

    await house.deliver()

    assert [json.loads(got.body)["type"] for got in receiver.got] == ["notification.test"] * 2


async def test_nobody_reaches_the_channels_of_others(house: House, receiver: Receiver) -> None:
    """Not to read, change, test or end them, nor by a rule of their own."""
    channel_id, _ = await hooked(house, receiver.url)
    orders = (
        pb.ListDeliveriesRequest(user_id="eve", channel_id=channel_id, limit=1),
        pb.ChangeChannelRequest(user_id="eve", id=channel_id, enabled=False),
        pb.RotateSecretRequest(user_id="eve", id=channel_id),
        pb.TestChannelRequest(user_id="eve", id=channel_id),
        pb.DeleteChannelRequest(user_id="eve", id=channel_id),
    )

    for order in orders:
        with pytest.raises(Exception, match="no such channel"):
            await house.rpc(order)
    with pytest.raises(InvalidRequest, match="does not exist"):
        await house.rule("anomaly.detected", [channel_id], "eve")
    for nobody in ("", "*", "a\0b"):
        with pytest.raises(InvalidRequest):
            await house.channels(nobody)


async def test_addresses_and_secrets_lie_sealed_each_for_its_own_row(house: House, pool: Pool) -> None:
    """Whoever reads the table learns neither, and a row that is given another's cannot be opened."""
    made = await house.webhook("https://hook.example/token-in-the-path")
    other = await house.webhook("https://other.example/hook")
    await house.meet(email="vera@example.ru")

    text = str([tuple(row) for row in await pool.fetch("SELECT * FROM usage.notification_channels")])
    people = str([tuple(row) for row in await pool.fetch("SELECT * FROM usage.notification_people")])
    await pool.execute(
        "UPDATE usage.notification_channels SET sealed = (SELECT sealed FROM usage.notification_channels "
        "WHERE id::text = $1) WHERE id::text = $2",
        made.channel.id,
        other.channel.id,
    )

    assert "hook.example" not in text
    assert made.secret not in text
    assert "vera@example.ru" not in people
    with pytest.raises(CannotOpen):
        await house.channels()


async def test_what_was_told_cannot_be_rewritten(house: House, pool: Pool) -> None:
    """Events and attempts are written once; the service's own role may not change them."""
    for table in ("notification_events", "notification_attempts"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(f"UPDATE usage.{table} SET user_id = 'eve'")
