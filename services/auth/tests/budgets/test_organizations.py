"""Organizations over the real server and database."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
import pytest
from razvilka.auth.v1 import auth_pb2
from razvilka.auth.v1 import budgets_pb2 as pb

from servicekit.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from servicekit.testing import FakeClock
from services.auth.shared.domain.tier import Tier
from services.auth.tests.budgets.kit import BudgetCaller, order


async def made(budgets: BudgetCaller, admin: str, zone: str = "Asia/Kamchatka") -> str:
    """Return the id of a new organization."""
    request = pb.CreateOrganizationRequest(admin_user_id=admin, name="Ромашка", time_zone=zone)
    return str((await budgets.call(request)).organization.id)


async def set_member(budgets: BudgetCaller, admin: str, organization: str, user: str, *, member: bool = True) -> None:
    """Let a user belong to it, or no more."""
    await budgets.call(
        pb.SetMemberRequest(admin_user_id=admin, organization_id=organization, user_id=user, is_member=member)
    )


async def test_its_budget_caps_every_member_in_its_own_time_zone(budgets: BudgetCaller, admin: str) -> None:
    """From joining until leaving; the members see it in their lists."""
    organization = await made(budgets, admin)
    users = [await budgets.auth.new_user(f"{name}@x.ru", Tier.ENTERPRISE) for name in ("a", "b")]
    keys = [await budgets.auth.new_key(user) for user in users]
    cap = await budgets.put_as(admin, **order(owner="organization", owner_id=organization, period="week"))
    for user in users:
        await set_member(budgets, admin, organization, user)

    capped = [(await budgets.auth.verify(key.secret)).budgets for key in keys]
    listed = await budgets.caps(users[0])
    await set_member(budgets, admin, organization, users[0], member=False)
    left = (await budgets.auth.verify(keys[0].secret)).budgets

    budget = auth_pb2.Budget(
        subject=f"organization:{organization}",
        period=auth_pb2.BUDGET_PERIOD_WEEK,
        limit_micro_rub=5_000_000,
        mode=auth_pb2.CAP_MODE_HARD,
        id=cap.id,
        time_zone="Asia/Kamchatka",
    )
    assert [list(each) for each in capped] == [[budget]] * 2
    assert [(each.subject, each.by_admin) for each in listed] == [(f"organization:{organization}", True)]
    assert list(left) == []


async def test_it_is_known_who_belonged_to_it_and_when(budgets: BudgetCaller, admin: str, clock: FakeClock) -> None:
    """What was spent while they did goes on counting, also when they have left or come again."""
    organization, user = await made(budgets, admin), await budgets.auth.new_user()
    for member in (True, True, False, False, True):
        await set_member(budgets, admin, organization, user, member=member)
        clock.advance(60)

    found = (await budgets.call(pb.ListMembershipsRequest(organization_id=organization))).memberships

    spans = [(each.joined_at.ToDatetime(), each.HasField("left_at") and each.left_at.ToDatetime()) for each in found]
    first = spans[0][0]
    assert spans == [(first, first + timedelta(minutes=2)), (first + timedelta(minutes=4), False)]
    assert {each.user_id for each in found} == {user}


async def test_a_user_belongs_to_one_at_most(budgets: BudgetCaller, admin: str) -> None:
    """Otherwise it would be open which budgets cap them."""
    one, other = await made(budgets, admin), await made(budgets, admin)
    user = await budgets.auth.new_user()
    await set_member(budgets, admin, one, user)

    with pytest.raises(Conflict):
        await set_member(budgets, admin, other, user)
    with pytest.raises(NotFound):
        await set_member(budgets, admin, "none", user)
    with pytest.raises(NotFound):
        await set_member(budgets, admin, one, "nobody")


async def test_one_that_ended_caps_nobody(budgets: BudgetCaller, admin: str) -> None:
    """Its members may belong to another one then; who belonged to it stays known."""
    one, other, user = await made(budgets, admin), await made(budgets, admin), await budgets.auth.new_user()
    key = await budgets.auth.new_key(user)
    await budgets.put_as(admin, **order(owner="organization", owner_id=one))
    await set_member(budgets, admin, one, user)

    await budgets.call(pb.DeleteOrganizationRequest(admin_user_id=admin, organization_id=one))
    await set_member(budgets, admin, other, user)

    subjects = {each.subject for each in (await budgets.auth.verify(key.secret)).budgets}
    listed = (await budgets.call(pb.ListOrganizationsRequest(admin_user_id=admin))).organizations
    assert subjects == {f"user:{user}"}
    assert [(each.id, list(each.member_user_ids)) for each in listed] == [(other, [user])]
    assert len((await budgets.call(pb.ListMembershipsRequest(organization_id=one))).memberships) == 1
    with pytest.raises(NotFound):
        await budgets.call(pb.DeleteOrganizationRequest(admin_user_id=admin, organization_id=one))


async def test_only_administrators_manage_them(budgets: BudgetCaller, admin: str) -> None:
    """And what is wrong is named."""
    user = await budgets.auth.new_user()
    organization = await made(budgets, admin)
    for request in (
        pb.ListOrganizationsRequest(admin_user_id=user),
        pb.CreateOrganizationRequest(admin_user_id=user, name="x"),
        pb.DeleteOrganizationRequest(admin_user_id=user, organization_id=organization),
        pb.SetMemberRequest(admin_user_id=user, organization_id=organization, user_id=user, is_member=True),
    ):
        with pytest.raises(PermissionDenied):
            await budgets.call(request)
    for name, zone, param in ((" ", "", "name"), ("x", "Mars/Olympus", "time_zone")):
        with pytest.raises(InvalidRequest) as caught:
            await budgets.call(pb.CreateOrganizationRequest(admin_user_id=admin, name=name, time_zone=zone))
        assert caught.value.param == param


async def test_all_of_them_are_listed_however_many_there_are(
    budgets: BudgetCaller, admin: str, auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """Page by page, oldest first, those of one moment too; also by a part of the name, or the id."""
    await auth_pool.execute("""
        INSERT INTO auth.organizations (id, name, time_zone, created_at)
        SELECT 'o' || n, 'Ромашка', 'Europe/Moscow', '2020-01-01' FROM generate_series(1, 1000) AS n
    """)
    newest = await made(budgets, admin)

    pages = [await budgets.call(pb.ListOrganizationsRequest(admin_user_id=admin, page_size=1000))]
    while pages[-1].has_more:
        after = pages[-1].organizations[-1].id
        pages.append(
            await budgets.call(pb.ListOrganizationsRequest(admin_user_id=admin, page_size=200, after_id=after))
        )
    found = [
        (await budgets.call(pb.ListOrganizationsRequest(admin_user_id=admin, search=search))).organizations
        for search in ("ромаш", "o77", "ландыш")
    ]

    listed = [each.id for page in pages for each in page.organizations]
    assert [len(page.organizations) for page in pages] == [200] * 5 + [1]
    assert (len(set(listed)), listed[-1]) == (1001, newest)
    assert [len(each) for each in found] == [50, 1, 0]


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        (pb.ListOrganizationsRequest(search="x" * 201), "search"),
        (pb.ListOrganizationsRequest(after_id="never"), "cursor"),
    ],
)
async def test_a_page_of_them_that_cannot_be_is_named(
    budgets: BudgetCaller, admin: str, wrong: pb.ListOrganizationsRequest, param: str
) -> None:
    """An empty page would be taken for the end."""
    wrong.admin_user_id = admin
    with pytest.raises(InvalidRequest) as refused:
        await budgets.call(wrong)

    assert refused.value.param == param
