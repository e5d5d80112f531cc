"""A channel that was switched off and is on again: what was news meanwhile is not sent."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from aiohttp import web
from razvilka.usage.v1 import notifications_pb2 as pb

from servicekit.testing import FakeClock
from servicekit.testing.smtp_server import SmtpServer
from services.usage.tests.notifications.conftest import USER, House, StartHouse
from services.usage.tests.notifications.receivers import Receiver
from services.usage.tests.notifications.test_ways import REPORT, mailing

WEEKS_S = 21 * 86_400


async def states(house: House, channel_id: str) -> list[str]:
    """Return what became of deliveries, the oldest first."""
    return [delivery.state for delivery in reversed(await house.history(channel_id))]


async def test_who_unsubscribed_and_wants_mails_again_gets_no_old_ones(
    start_house: StartHouse, smtp: SmtpServer, clock: FakeClock
) -> None:
    """What waited when the link was followed stayed on its way for ever, and was counted as such."""
    house, channel_id = await mailing(start_house, smtp)
    await house.meet()
    await house.events.raise_event(USER, "report.ready", "r-1", REPORT)
    await house.deliver()
    clock.advance(1)
    await house.events.raise_event(USER, "report.ready", "r-2", REPORT)

    token = parse_qs(urlsplit(smtp.received[0]["List-Unsubscribe"].strip("<>")).query)["token"][0]
    await house.rpc(pb.UnsubscribeRequest(token=token))
    clock.advance(WEEKS_S)
    await house.rpc(pb.ChangeChannelRequest(user_id=USER, id=channel_id, enabled=True))
    await house.deliver()

    assert len(smtp.received) == 1
    assert await states(house, channel_id) == ["delivered", "cancelled"]


async def test_what_failed_while_its_channel_was_switched_off_is_not_tried_again(
    house: House, receiver: Receiver, clock: FakeClock
) -> None:
    """The attempt that ended later put it on its way again."""
    made = await house.webhook(receiver.url)
    await house.rule("report.ready", [made.channel.id])
    await house.meet()
    await house.events.raise_event(USER, "report.ready", "r-1", REPORT)

    async def switched_off(_: web.Request) -> web.StreamResponse:
        await house.rpc(pb.ChangeChannelRequest(user_id=USER, id=made.channel.id, enabled=False))
        return web.Response(status=500)

    receiver.answer = switched_off
    await house.deliver()
    clock.advance(WEEKS_S)
    await house.rpc(pb.ChangeChannelRequest(user_id=USER, id=made.channel.id, enabled=True))
    await house.deliver()

    assert len(receiver.got) == 1
    assert await states(house, made.channel.id) == ["cancelled"]
