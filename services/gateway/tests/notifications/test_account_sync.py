"""What usage is told of people: by one gateway, of everybody who has channels, with the periods that run now."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.auth.v1 import auth_pb2, budgets_pb2, owners_pb2
from razvilka.usage.v1 import notifications_pb2 as pb

from servicekit.errors import ErrorReason, Unavailable
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import StartGateway

MONTH, TOTAL = auth_pb2.BUDGET_PERIOD_MONTH, auth_pb2.BUDGET_PERIOD_TOTAL


def owner(user_id: str) -> owners_pb2.Owner:
    budgets = [
        owners_pb2.OwnedBudget(
            budget=auth_pb2.Budget(subject=f"user:{user_id}", period=period, limit_micro_rub=5_000_000), name="всё"
        )
        for period in (MONTH, TOTAL)
    ]
    keys = [owners_pb2.EndingKey(id="key-1", name="laptop", expires_at=Timestamp(seconds=4_000_000_000))]
    known = {"email": "vera@example.ru", "language": "en", "time_zone": "Europe/Moscow"}
    return owners_pb2.Owner(user_id=user_id, budgets=budgets, keys=keys, **known)


async def told(backends: Backends) -> pb.PutPeopleRequest:
    async with asyncio.timeout(60):
        return await backends.notifications.told.get()


async def test_everybody_with_channels_is_told_of_again_and_again(
    backends: Backends, start_gateway: StartGateway
) -> None:
    """In batches; whose account is gone is named, and a round that failed is made up for by the next."""
    ids = [f"user-{n:03}" for n in range(150)]
    backends.notifications.watched = [*ids, "vanished"]
    backends.owners.owners = {id: owner(id) for id in ids}
    backends.notifications.failure = Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "Later.")
    await start_gateway(tell_people_every_s=0.05)
    backends.notifications.failure = None

    first = await told(backends)
    while [person.user_id for person in first.people] != ids[:100]:
        first = await told(backends)
    second = await told(backends)

    assert [person.user_id for person in second.people] == ids[100:]
    assert list(second.gone_user_ids) == ["vanished"]


async def test_somebody_who_cannot_be_told_of_keeps_nobody_behind_them_waiting(
    backends: Backends, start_gateway: StartGateway
) -> None:
    """An organization whose spending takes too long to be summed: everybody behind it, by id, was told of nothing."""
    ids = [f"user-{n:03}" for n in range(150)]
    backends.notifications.watched = [*ids, "vanished"]
    backends.notifications.unlucky = ids[7]
    backends.owners.owners = {id: owner(id) for id in ids}
    await start_gateway(tell_people_every_s=0.05)

    request = await told(backends)

    assert [person.user_id for person in request.people] == ids[100:]
    assert list(request.gone_user_ids) == ["vanished"]


async def test_budgets_come_with_the_period_that_runs_in_their_owners_zone(
    backends: Backends, start_gateway: StartGateway
) -> None:
    """Moscow's month begins three hours before London's; what lasts for ever has neither beginning nor end."""
    backends.notifications.watched = ["user-1"]
    backends.owners.owners["user-1"] = owner("user-1")
    await start_gateway(tell_people_every_s=0.05)

    request = await told(backends)

    (person,) = request.people
    month, total = person.budgets
    starts_at = month.starts_at.ToDatetime(UTC)
    now = datetime.now(UTC)
    assert (month.period, total.period) == ("month", "lifetime")
    assert (starts_at.hour, starts_at.minute) == (21, 0)
    assert starts_at <= now < month.ends_at.ToDatetime(UTC)
    assert not total.HasField("starts_at")
    assert not total.HasField("ends_at")
    assert (month.subject, month.limit_micro_rub, month.name) == ("user:user-1", 5_000_000, "всё")
    assert [(key.id, key.expires_at.seconds) for key in person.keys] == [("key-1", 4_000_000_000)]
    assert [model.model for model in request.models] == ["yandexgpt:deprecated"]


async def test_an_organizations_budget_comes_with_its_members_and_its_own_period(
    backends: Backends, start_gateway: StartGateway
) -> None:
    """Usage knows nobody's membership: it sums what it is told of."""
    shared = auth_pb2.Budget(
        subject="organization:org", period=MONTH, limit_micro_rub=7_000_000, time_zone="America/New_York"
    )
    known = owner("user-1")
    known.budgets.append(owners_pb2.OwnedBudget(budget=shared, name="ООО"))
    backends.notifications.watched = ["user-1"]
    backends.owners.owners["user-1"] = known
    left_at = Timestamp(seconds=1_700_000_000)
    backends.budgets.memberships = [
        budgets_pb2.Membership(user_id="user-1", joined_at=Timestamp(seconds=1_600_000_000)),
        budgets_pb2.Membership(user_id="user-2", joined_at=Timestamp(seconds=1_600_000_000), left_at=left_at),
    ]
    await start_gateway(tell_people_every_s=0.05)

    request = await told(backends)

    [organization] = request.organizations
    assert organization.subject == "organization:org"
    assert [(each.user_id, each.HasField("left_at")) for each in organization.memberships] == [
        ("user-1", False),
        ("user-2", True),
    ]
    budget = request.people[0].budgets[-1]
    assert (budget.subject, budget.name) == ("organization:org", "ООО")
    assert budget.starts_at.ToDatetime(UTC).hour in (4, 5)


async def test_makers_are_judged_by_auth_and_told_with_the_moment_of_the_list(
    backends: Backends, start_gateway: StartGateway
) -> None:
    """Usage's own moment goes back to it; whom auth says nothing of that is known here is left out."""
    standings = {
        "key:live": owners_pb2.STANDING_LIVE,
        "grant:off": owners_pb2.STANDING_DISABLED,
        "grant:over": owners_pb2.STANDING_ENDED,
        "key:unsaid": owners_pb2.STANDING_UNSPECIFIED,
    }
    backends.owners.makers = {
        subject: owners_pb2.Maker(subject=subject, standing=standing, scopes=["usage:read"])
        for subject, standing in standings.items()
    }
    # More than auth answers for at once.
    crowd = [f"grant:{n}" for n in range(600)]
    backends.notifications.watched, backends.notifications.makers = ["user-1"], [*crowd, *standings, "key:unknown"]
    backends.notifications.as_of = Timestamp(seconds=1_790_000_000, nanos=5000)
    backends.owners.owners["user-1"] = owner("user-1")
    await start_gateway(tell_people_every_s=0.05)

    request = await told(backends)

    assert {each.subject: (each.standing, list(each.scopes)) for each in request.makers} == {
        "key:live": (pb.MAKER_STANDING_LIVE, ["usage:read"]),
        "grant:off": (pb.MAKER_STANDING_DISABLED, ["usage:read"]),
        "grant:over": (pb.MAKER_STANDING_ENDED, ["usage:read"]),
    }
    assert request.makers_as_of == backends.notifications.as_of
    assert backends.owners.most_makers == 500


async def test_a_usage_that_knows_no_makers_is_told_of_none(backends: Backends, start_gateway: StartGateway) -> None:
    """During a rolling upgrade; nothing is judged without its moment."""
    backends.notifications.watched = ["user-1"]
    backends.owners.owners["user-1"] = owner("user-1")
    await start_gateway(tell_people_every_s=0.05)

    request = await told(backends)

    assert (len(request.people), len(request.makers), request.HasField("makers_as_of")) == (1, 0, False)


async def test_whose_account_is_shut_is_named_and_is_neither_told_of_nor_gone(
    backends: Backends, start_gateway: StartGateway
) -> None:
    """Usage keeps what they have, and has nothing come of it."""
    backends.notifications.watched = ["user-1", "user-2", "vanished"]
    backends.owners.owners["user-1"], backends.owners.shut = owner("user-1"), ["user-2"]
    await start_gateway(tell_people_every_s=0.05)

    request = await told(backends)

    assert [person.user_id for person in request.people] == ["user-1"]
    assert (list(request.shut_user_ids), list(request.gone_user_ids)) == (["user-2"], ["vanished"])
