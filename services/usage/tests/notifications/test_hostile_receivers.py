"""Receivers that hang, send elsewhere, change their address or never end: nothing leaks and nobody else waits."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from emulator.wire.tls import make_certificates, server_context
from servicekit.testing import FakeClock
from servicekit.testing.sampled import sampled
from services.usage.tests.notifications.conftest import USER, House, StartHouse
from services.usage.tests.notifications.hooks import ANOMALY, hooked
from services.usage.tests.notifications.receivers import Names, Receiver, answering, receiving


async def test_a_receiver_that_hangs_holds_up_nobody_else(start_house: StartHouse, receiver: Receiver) -> None:
    """The others' arrives while it hangs; its own attempt ends in time and is on record."""
    house = await start_house(webhooks={"timeout_s": 60}, notifications={"every_s": 0.05})
    reached, may_answer = asyncio.Event(), asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        reached.set()
        await may_answer.wait()
        return web.Response(status=503)

    async with receiving() as hanging:
        hanging.answer = hang
        channel_id, _ = await hooked(house, hanging.url, "slow")
        await hooked(house, receiver.url, "quick")
        await house.events.raise_event("slow", "anomaly.detected", "i-1", ANOMALY)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(house.deliver())
            await reached.wait()
            await house.events.raise_event("quick", "anomaly.detected", "i-1", ANOMALY)
            while not receiver.got:
                await asyncio.sleep(0.01)
            may_answer.set()

    (delivery,) = await house.history(channel_id, "slow")
    assert [attempt.status for attempt in delivery.attempts] == [503]


async def test_what_waits_while_a_receiver_hangs_is_counted(start_house: StartHouse, receiver: Receiver) -> None:
    """Deliveries that pile up behind it are what an alarm is for; the figure stood still until it answered."""
    house = await start_house(webhooks={"timeout_s": 60})
    reached, may_answer = asyncio.Event(), asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        reached.set()
        await may_answer.wait()
        return web.Response(status=204)

    receiver.answer = hang
    await hooked(house, receiver.url)
    await house.events.raise_event(USER, "anomaly.detected", "i-1", ANOMALY)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(house.deliver())
        await reached.wait()
        await house.events.raise_event(USER, "anomaly.detected", "i-2", ANOMALY)
        await house.count()
        waiting = sampled("razvilka_usage_notifications_pending")
        may_answer.set()
    await house.count()

    assert (waiting, sampled("razvilka_usage_notifications_pending")) == (2, 0)


async def test_a_receiver_that_never_answers_costs_the_timeout(start_house: StartHouse, receiver: Receiver) -> None:
    """And then the attempt is over."""
    house = await start_house(webhooks={"timeout_s": 0.2})

    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    receiver.answer = hang
    channel_id, _ = await hooked(house, receiver.url)
    await house.events.raise_event(USER, "anomaly.detected", "i-1", ANOMALY)

    await house.deliver()

    (delivery,) = await house.history(channel_id)
    assert [attempt.problem for attempt in delivery.attempts] == ["timeout"]


async def test_an_answer_without_end_is_not_read_to_its_end(start_house: StartHouse, receiver: Receiver) -> None:
    """What is beyond the bound stays with its sender."""
    house = await start_house(webhooks={"answer_kb": 1})

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=200)
        await response.prepare(request)
        while True:
            await response.write(bytes(65_536))

    receiver.answer = endless
    channel_id, _ = await hooked(house, receiver.url)
    await house.events.raise_event(USER, "anomaly.detected", "i-1", ANOMALY)

    await house.deliver()

    (delivery,) = await house.history(channel_id)
    assert delivery.state == "delivered"


async def test_a_redirect_to_the_metadata_of_a_cloud_is_not_followed(house: House, receiver: Receiver) -> None:
    """The history says redirect, and nothing of what lies there."""
    receiver.answer = answering(302, Location="http://169.254.169.254/latest/meta-data/")
    channel_id, _ = await hooked(house, receiver.url)
    await house.events.raise_event(USER, "anomaly.detected", "i-1", ANOMALY)

    await house.deliver()

    (delivery,) = await house.history(channel_id)
    assert [(attempt.problem, attempt.status) for attempt in delivery.attempts] == [("redirect", 302)]
    assert len(receiver.got) == 1


PRIVATE = (
    "https://127.0.0.1/hook",
    "https://10.0.0.1/hook",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/hook",
    "https://[::1]/hook",
    "https://[fd00:ec2::254]/hook",
    "https://[::ffff:169.254.169.254]/hook",
    "https://[64:ff9b::a9fe:a9fe]/hook",
    "https://8.8.8.8:22/hook",
    "https://2130706433/hook",
    "https://127.1/hook",
    "https://hook.example/private",
)


async def test_addresses_of_a_network_of_ours_are_never_called(start_house: StartHouse) -> None:
    """In digits however written, inside IPv6, at other ports, and behind a name."""
    house = await start_house(Names("192.168.7.7"), webhooks={"trusted_networks": "", "plaintext": False})
    channel_ids = [(await house.webhook(url)).channel.id for url in PRIVATE]
    await house.rule("anomaly.detected", channel_ids)
    await house.events.raise_event(USER, "anomaly.detected", "i-1", ANOMALY)

    await house.deliver()

    history = [delivery for channel_id in channel_ids for delivery in await house.history(channel_id)]
    attempts = [(attempt.problem, attempt.status) for delivery in history for attempt in delivery.attempts]
    assert attempts == [("forbidden_address", 0)] * len(PRIVATE)


async def test_a_name_that_changes_its_meaning_is_looked_at_each_time(
    start_house: StartHouse, receiver: Receiver, clock: FakeClock
) -> None:
    """DNS rebinding: what was allowed at the first attempt is not kept for the second."""
    house = await start_house(Names("127.0.0.1", "127.0.0.2"))
    receiver.answer = answering(500)
    channel_id, _ = await hooked(house, f"http://hook.example:{receiver.port}/hook")
    await house.events.raise_event(USER, "anomaly.detected", "i-1", ANOMALY)
    await house.deliver()
    clock.advance(60)

    await house.deliver()

    (delivery,) = await house.history(channel_id)
    assert [attempt.problem for attempt in delivery.attempts] == ["status", "forbidden_address"]
    assert len(receiver.got) == 1


async def test_who_answers_must_have_the_certificate_of_the_name(start_house: StartHouse, tmp_path: Path) -> None:
    """The connection goes to the address that was checked, and proves to be the name's."""
    certificates = make_certificates(tmp_path, "hook.example")
    believed = {"plaintext": False, "ca_bundle": certificates.ca}
    async with receiving(server_context(certificates)) as receiver:
        house = await start_house(Names("127.0.0.1"), webhooks=believed)
        own, _ = await hooked(house, f"https://hook.example:{receiver.port}/hook")
        others, _ = await hooked(house, f"https://other.example:{receiver.port}/hook")
        await house.events.raise_event(USER, "anomaly.detected", "i-1", ANOMALY)

        await house.deliver()

    assert [delivery.state for delivery in await house.history(own)] == ["delivered"]
    assert [each.attempts[0].problem for each in await house.history(others)] == ["connection"]
    assert len(receiver.got) == 1
