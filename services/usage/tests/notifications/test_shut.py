"""An account that an administrator shut: nothing goes out, nothing is lost, and what was missed is not sent late."""

from __future__ import annotations

from datetime import timedelta

import pytest
from razvilka.usage.v1 import notifications_pb2 as pb
from structlog.testing import capture_logs

from servicekit.testing import FakeClock
from servicekit.testing.smtp_server import SmtpServer
from services.usage.store.connection import connection_of
from services.usage.tests.notifications.conftest import USER, House, Pool, StartHouse
from services.usage.tests.notifications.receivers import Receiver
from services.usage.tests.notifications.test_switched_off import states
from services.usage.tests.notifications.test_ways import REPORT, mailing

OTHER = "user-2"


async def shut(house: House, *user_ids: str) -> None:
    await house.rpc(pb.PutPeopleRequest(shut_user_ids=user_ids))


async def watched(house: House) -> list[str]:
    return list((await house.rpc(pb.ListWatchedRequest(limit=10))).user_ids)


async def hooked(house: House, receiver: Receiver, user_id: str = USER) -> str:
    made = await house.webhook(receiver.url, user_id)
    await house.rule("report.ready", [made.channel.id], user_id)
    return str(made.channel.id)


async def test_nothing_of_a_shut_account_goes_out_by_webhook_and_others_are_told_as_ever(
    house: House, receiver: Receiver
) -> None:
    """Neither what was on its way nor what happens then."""
    mine, theirs = await hooked(house, receiver), await hooked(house, receiver, OTHER)
    await house.events.raise_event(USER, "report.ready", "r-1", REPORT)

    await shut(house, USER)
    await house.events.raise_event(USER, "report.ready", "r-2", REPORT)
    await house.events.raise_event(OTHER, "report.ready", "r-3", REPORT)
    await house.deliver()

    assert len(receiver.got) == 1
    assert await states(house, mine) == ["cancelled"]
    assert [each.state for each in await house.history(theirs, OTHER)] == ["delivered"]


async def test_mails_of_a_shut_account_stop_and_go_on_with_what_is_news_when_it_is_open(
    start_house: StartHouse, smtp: SmtpServer, clock: FakeClock
) -> None:
    """No burst of what was missed; channels and rules are those that there were."""
    house, channel_id = await mailing(start_house, smtp)
    await house.meet()
    await house.events.raise_event(USER, "report.ready", "r-1", REPORT)
    await shut(house, USER)
    for number in range(3):
        clock.advance(86_400)
        await house.events.raise_event(USER, "report.ready", f"missed-{number}", REPORT)
        await shut(house, USER)
        await house.deliver()
    silent = len(smtp.received)

    await house.meet()
    await house.deliver()
    still_silent = len(smtp.received)
    await house.events.raise_event(USER, "report.ready", "news", REPORT)
    await house.deliver()

    assert (silent, still_silent, len(smtp.received)) == (0, 0, 1)
    assert await states(house, channel_id) == ["cancelled", "delivered"]


async def test_what_was_raised_at_the_moment_of_shutting_is_cancelled_by_the_next_round(
    house: House, receiver: Receiver, pool: Pool
) -> None:
    """An instance that did not see yet that the account is shut, or one of the release before, had it told."""
    channel_id = await hooked(house, receiver)
    await house.events.raise_event(USER, "report.ready", "r-1", REPORT)
    await shut(house, USER)
    async with connection_of(pool) as connection:
        await connection.execute("UPDATE usage.notification_deliveries SET state = 'pending'")
    await house.deliver()
    silent = len(receiver.got)

    await shut(house, USER)
    await house.meet()
    await house.deliver()

    assert (silent, receiver.got) == (0, [])
    assert await states(house, channel_id) == ["cancelled"]


async def test_a_key_that_ends_is_told_of_by_the_first_round_after_its_account_is_open(
    house: House, receiver: Receiver, clock: FakeClock
) -> None:
    """What is so now is no old news; while it was shut nobody looked."""
    made = await house.webhook(receiver.url)
    await house.rule("key.expiring", [made.channel.id])
    await shut(house, USER)
    await house.deliver()
    silent = len(receiver.got)
    key = pb.WatchedKey(id="key-1", name="laptop")
    key.expires_at.FromDatetime(clock.now() + timedelta(days=3))

    await house.meet(keys=[key])
    await house.meet(keys=[key])
    await house.deliver()

    assert (silent, len(receiver.got)) == (0, 1)


async def test_whoever_is_shut_is_asked_of_until_they_are_open_or_gone(house: House) -> None:
    """Also who has nothing any more: else they would stay shut here, and find it out with their next channel."""
    await shut(house, USER, OTHER)
    both = await watched(house)

    await house.rpc(pb.PutPeopleRequest(gone_user_ids=[OTHER]))
    one = await watched(house)
    await house.meet()
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rpc(pb.TestChannelRequest(user_id=USER, id=channel_id))

    assert (both, one) == ([USER, OTHER], [USER])
    assert await states(house, channel_id) == ["pending"]


async def test_of_whom_nothing_is_said_nothing_changes(house: House, receiver: Receiver) -> None:
    """A gateway or an auth of the release before names nobody who is shut, and leaves them out as ever."""
    await hooked(house, receiver)
    await shut(house, USER)

    await house.rpc(pb.PutPeopleRequest())
    await house.meet(OTHER)
    await house.events.raise_event(USER, "report.ready", "r-1", REPORT)
    await house.deliver()

    assert receiver.got == []


async def test_the_log_tells_once_whose_account_was_shut_and_opened(house: House) -> None:
    """A round tells of it each minute."""
    with capture_logs() as logs:
        await shut(house, USER)
        await shut(house, USER)
        await house.meet()
        await house.meet()

    told = [(each["event"], each["user_id"]) for each in logs if "shut" in each["event"]]
    assert told == [("usage.account_shut", USER), ("usage.account_not_shut_any_more", USER)]


@pytest.mark.parametrize("again", [False, True])
async def test_who_is_told_of_as_shut_and_in_the_same_breath_twice_is_shut_once(house: House, again: bool) -> None:
    """Nothing of the round fails by it."""
    await shut(house, *[USER] * (1 + again))

    assert await watched(house) == [USER]
