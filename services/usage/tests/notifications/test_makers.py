"""What a credential made goes on as long as it does: channels, rules and schedules of reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.usage.v1 import notifications_pb2 as pb
from structlog.testing import capture_logs

from servicekit.errors import InvalidRequest
from servicekit.testing import FakeClock
from services.usage.reports.domain.order import Format, Wishes
from services.usage.reports.domain.periods import Every
from services.usage.reports.domain.report import WhenEmpty
from services.usage.reports.scheduling import Rhythm, Schedules
from services.usage.reports.settings import ReportSettings
from services.usage.reports.store.schedule_store import ScheduleStore
from services.usage.tests.notifications.conftest import USER, House, Pool
from services.usage.tests.notifications.receivers import Receiver

APP, OTHER_APP = "grant:app", "grant:other"
LIVE, DISABLED, ENDED = pb.MAKER_STANDING_LIVE, pb.MAKER_STANDING_DISABLED, pb.MAKER_STANDING_ENDED
ALL_SCOPES = ("notifications:write", "usage:read")
REPORT = {"name": "Октябрь", "url": "https://llm.example.ru/r/1", "report_id": "r-1"}


async def hook(house: House, maker: str, url: str = "https://hooks.example.ru/a", user_id: str = USER) -> str:
    order = pb.CreateChannelRequest(user_id=user_id, kind=pb.CHANNEL_KIND_WEBHOOK, name="hook", target=url, maker=maker)
    return str((await house.rpc(order)).channel.id)


async def rule(house: House, maker: str, *channels: str) -> str:
    return await house.rule("report.ready", channels, maker=maker)


async def rules(house: House) -> dict[str, list[str]]:
    found = (await house.rpc(pb.ListRulesRequest(user_id=USER))).rules
    return {each.id: list(each.channel_ids) for each in found}


async def judge(
    house: House,
    maker: str,
    standing: pb.MakerStanding.ValueType,
    scopes: Sequence[str] = ALL_SCOPES,
    as_of: Timestamp | None = None,
) -> None:
    """Tell how it stands with a maker, as of a list that was read now, or before."""
    if as_of is None:
        as_of = (await house.rpc(pb.ListWatchedRequest(limit=10))).as_of
    told = pb.WatchedMaker(subject=maker, standing=standing, scopes=() if standing == ENDED else scopes)
    await house.rpc(pb.PutPeopleRequest(makers=[told], makers_as_of=as_of))


@pytest.fixture
def schedules(pool: Pool, clock: FakeClock) -> Schedules:
    ids = iter([f"00000000-0000-0000-0000-{n:012}" for n in range(1, 10)])
    return Schedules(ScheduleStore(pool), ReportSettings(), clock=clock, new_id=lambda: next(ids))


async def schedule(schedules: Schedules, clock: FakeClock, maker: str) -> str:
    rhythm = Rhythm(Every.DAY, clock.now().time().replace(tzinfo=None), WhenEmpty.SKIP)
    return (await schedules.create(USER, Wishes(Format.CSV), rhythm, maker)).id


async def test_everything_that_a_credential_made_ends_with_it_and_nothing_else(
    house: House, clock: FakeClock, schedules: Schedules
) -> None:
    """The person's own stay, and another application's; a rule of theirs goes on without the channel. A log tells."""
    mine, theirs, others = [await hook(house, maker) for maker in ("", APP, OTHER_APP)]
    my_rule, their_rule = await rule(house, "", mine, theirs), await rule(house, APP, mine)
    my_schedule, _ = [await schedule(schedules, clock, maker) for maker in ("", APP)]
    clock.advance(1)

    with capture_logs() as logs:
        await judge(house, APP, ENDED)

    assert {each.id for each in await house.channels()} == {mine, others}
    assert await rules(house) == {my_rule: [mine]}
    assert [each.id for each in await schedules.list(USER)] == [my_schedule]
    told = {each["event"]: (each["maker"], each["id"]) for each in logs if "with_its_maker" in each["event"]}
    assert told["usage.channel_ended_with_its_maker"] == (APP, theirs)
    assert told["usage.rule_ended_with_its_maker"] == (APP, their_rule)
    assert told["usage.schedule_ended_with_its_maker"][0] == APP


async def test_nothing_is_sent_by_a_channel_whose_maker_ended(
    house: House, receiver: Receiver, clock: FakeClock
) -> None:
    """Neither what happens later nor what was on its way."""
    channel_id = await hook(house, APP, receiver.url)
    await rule(house, "", channel_id)
    await house.events.raise_event(USER, "report.ready", "r-1", REPORT)
    clock.advance(1)
    await judge(house, APP, ENDED)
    await house.events.raise_event(USER, "report.ready", "r-2", REPORT)

    await house.deliver()

    assert receiver.got == []


async def test_makers_are_told_of_with_those_who_have_something_even_rules_alone(
    house: House, clock: FakeClock, schedules: Schedules
) -> None:
    """Once each, of those on the page only; people themselves are none."""
    mail = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await rule(house, "key:k", mail)
    await house.rpc(pb.DeleteChannelRequest(user_id=USER, id=mail))
    await hook(house, OTHER_APP, user_id="user-2")
    await schedule(schedules, clock, APP)
    await schedule(schedules, clock, "")

    first = await house.rpc(pb.ListWatchedRequest(limit=1))
    second = await house.rpc(pb.ListWatchedRequest(after=USER, limit=1))

    assert (list(first.user_ids), list(first.makers)) == ([USER], [APP, "key:k"])
    assert (list(second.user_ids), list(second.makers)) == (["user-2"], [OTHER_APP])


async def test_what_was_made_after_the_list_was_read_is_not_judged_by_it(house: House, clock: FakeClock) -> None:
    """A credential that had lost a scope may have it again by then."""
    early = await hook(house, APP)
    clock.advance(1)
    as_of = (await house.rpc(pb.ListWatchedRequest(limit=10))).as_of
    clock.advance(1)
    late, late_rule = await hook(house, APP), await rule(house, APP, early)
    moved = await hook(house, "")
    await house.rpc(pb.ChangeChannelRequest(user_id=USER, id=moved, target="https://hooks.example.ru/b", maker=APP))

    await judge(house, APP, LIVE, scopes=("usage:read",), as_of=as_of)

    assert {each.id for each in await house.channels()} == {late, moved}
    assert await rules(house) == {late_rule: []}


@pytest.mark.parametrize(
    ("scopes", "left"),
    [(ALL_SCOPES, (1, 1, 1)), (("usage:read",), (0, 0, 1)), (("notifications:write",), (1, 1, 0)), ((), (0, 0, 0))],
)
async def test_what_a_narrowed_credential_could_not_make_any_more_ends(
    house: House, clock: FakeClock, schedules: Schedules, scopes: Sequence[str], left: tuple[int, ...]
) -> None:
    """As what it made of credentials is narrowed with it: channels and rules take one scope, schedules another."""
    await rule(house, APP, await hook(house, APP))
    await schedule(schedules, clock, APP)
    clock.advance(1)

    await judge(house, APP, LIVE, scopes)

    assert (len(await house.channels()), len(await rules(house)), len(await schedules.list(USER))) == left


async def test_channels_of_a_disabled_credential_are_silent_until_it_is_enabled(
    house: House, receiver: Receiver, clock: FakeClock
) -> None:
    """An administrator takes it back: nothing is lost, and what happened meanwhile is told then."""
    channel_id = await hook(house, APP, receiver.url)
    await rule(house, APP, channel_id)
    clock.advance(1)
    await judge(house, APP, DISABLED)
    await house.events.raise_event(USER, "report.ready", "r-1", REPORT)
    await house.deliver()
    silent = len(receiver.got)

    await judge(house, APP, LIVE)
    await house.deliver()

    assert (silent, len(receiver.got)) == (0, 1)


async def test_versions_that_know_nothing_of_makers_end_nothing(house: House, clock: FakeClock) -> None:
    """Neither an auth that tells of none, nor a gateway that sends no moment, nor a standing of a later release."""
    channel_id = await hook(house, APP)
    clock.advance(1)
    as_of = (await house.rpc(pb.ListWatchedRequest(limit=10))).as_of
    ended = pb.WatchedMaker(subject=APP, standing=ENDED)
    strange: Any = 77
    for request in (
        pb.PutPeopleRequest(),
        pb.PutPeopleRequest(makers_as_of=as_of),
        pb.PutPeopleRequest(makers=[ended]),
        pb.PutPeopleRequest(makers=[pb.WatchedMaker(subject=APP)], makers_as_of=as_of),
        pb.PutPeopleRequest(makers=[pb.WatchedMaker(subject=APP, standing=strange)], makers_as_of=as_of),
        pb.PutPeopleRequest(makers=[pb.WatchedMaker(subject="key:\0", standing=ENDED)], makers_as_of=as_of),
        # Nobody's credential is called like what people made themselves.
        pb.PutPeopleRequest(makers=[pb.WatchedMaker(subject="", standing=ENDED)], makers_as_of=as_of),
    ):
        await house.rpc(request)

    assert [each.id for each in await house.channels()] == [channel_id]


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ("", {"target": "https://hooks.example.ru/b", "maker": APP}, APP),
        (APP, {"target": "https://hooks.example.ru/b", "maker": ""}, ""),
        (APP, {"target": "https://hooks.example.ru/a", "name": "mine", "maker": ""}, APP),
        ("", {"name": "theirs", "enabled": False, "maker": APP}, ""),
        (APP, {"target": "https://hooks.example.ru/b"}, APP),
    ],
    ids=["moved by an application", "moved in person", "the same address", "renamed", "an earlier gateway"],
)
async def test_whoever_gives_a_webhook_another_address_is_its_maker(
    house: House, before: str, change: dict[str, Any], after: str
) -> None:
    """Else an application would lead a person's webhook to itself, and keep it; nothing but the address counts."""
    channel_id = await hook(house, before)

    changed = await house.rpc(pb.ChangeChannelRequest(user_id=USER, id=channel_id, **change))

    assert changed.channel.maker == after
    assert [each.maker for each in await house.channels()] == [after]


async def test_makers_are_told_of_channels_and_rules_and_stay_when_a_rule_is_changed(house: House) -> None:
    """A person who changes what an application made has not made it."""
    channel_id = await hook(house, APP)
    rule_id = await rule(house, APP, channel_id)

    changed = await house.rpc(
        pb.ChangeRuleRequest(user_id=USER, rule=pb.NotificationRule(id=rule_id, cooldown_s=60), fields=["cooldown_s"])
    )

    assert (changed.rule.maker, changed.rule.cooldown_s) == (APP, 60)
    assert [each.maker for each in await house.channels()] == [APP]


@pytest.mark.parametrize("maker", ["user:1", "key:", "somebody", "key:\0", "grant:" + "x" * 300])
async def test_a_maker_that_no_credential_can_be_is_refused(house: House, maker: str) -> None:
    """The request names it."""
    with pytest.raises(InvalidRequest, match="maker"):
        await hook(house, maker)


async def test_a_disabled_makers_webhook_goes_out_again_once_its_owner_leads_it_elsewhere(
    house: House, receiver: Receiver, clock: FakeClock
) -> None:
    """It is theirs then."""
    channel_id = await hook(house, APP)
    clock.advance(1)
    await judge(house, APP, DISABLED)
    await house.rpc(pb.ChangeChannelRequest(user_id=USER, id=channel_id, target=receiver.url, maker=""))
    await house.rpc(pb.TestChannelRequest(user_id=USER, id=channel_id))

    await house.deliver()

    assert len(receiver.got) == 1
