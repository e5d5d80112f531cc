"""What people change of themselves."""

from __future__ import annotations

from typing import Any, TypeAlias

import asyncpg
import pytest
from razvilka.auth.v1 import account_pb2 as pb

from servicekit.errors import ErrorReason
from services.auth.shared.store.accounts import AccountStore
from services.auth.tests.accounts.conftest import EMAIL, PASSWORD, People, audit_actions

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NEW = "anna@new.example.ru"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        pytest.param({"name": "a\nb"}, "name", id="line feed in the name"),
        pytest.param({"language": "xx"}, "language", id="language"),
        pytest.param({"time_zone": "Mars/Olympus"}, "time_zone", id="time zone"),
        pytest.param({"time_zone": "../../etc/passwd"}, "time_zone", id="path as a time zone"),
        pytest.param({"email": "nobody"}, "email", id="address"),
        pytest.param({"email": NEW}, "password", id="address without the password"),
        pytest.param({"email": NEW, "current_password": "wrong wrong"}, "password", id="address, wrong password"),
    ],
)
async def test_bad_changes_change_nothing(people: People, fields: dict[str, Any], param: str) -> None:
    """The field at fault is named; a good field beside it is not changed either."""
    user_id = await people.seed(name="Anna")
    before = await people.call(pb.GetProfileRequest(user_id=user_id))

    refusal = await people.refused(pb.UpdateProfileRequest(user_id=user_id, **({"name": "Other"} | fields)))

    assert refusal.param == param
    assert await people.call(pb.GetProfileRequest(user_id=user_id)) == before
    assert await people.outbox() == []


@pytest.mark.parametrize("user_id", ["", "nobody", "\0", "x" * 500])
async def test_unknown_users_have_no_profile(people: People, user_id: str) -> None:
    """Whatever the id is."""
    requests = [
        pb.GetProfileRequest(user_id=user_id),
        pb.UpdateProfileRequest(user_id=user_id, name="x"),
        pb.ExportAccountRequest(user_id=user_id),
        pb.DeleteAccountRequest(user_id=user_id, password=PASSWORD),
        pb.EnrollTotpRequest(user_id=user_id),
        pb.ListSessionsRequest(user_id=user_id) if user_id not in ("nobody",) else pb.GetProfileRequest(user_id="-"),
    ]

    reasons = {(await people.refused(request)).reason for request in requests}

    assert reasons == {ErrorReason.NOT_FOUND}


async def test_what_is_given_is_changed_and_the_rest_left(people: People, auth_pool: Pool) -> None:
    """An empty name is a change, an absent one is not."""
    user_id = await people.seed(name="Anna")

    await people.call(pb.UpdateProfileRequest(user_id=user_id, language="en", time_zone="Asia/Vladivostok"))
    answer = await people.call(pb.UpdateProfileRequest(user_id=user_id, name=""))

    assert (answer.profile.name, answer.profile.language, answer.profile.time_zone) == ("", "en", "Asia/Vladivostok")
    assert await audit_actions(auth_pool, user_id) == ["user.seeded", "profile.changed", "profile.changed"]


async def test_a_new_address_counts_when_its_link_is_followed(people: People) -> None:
    """The new address is asked, the old one told; until then nothing changes."""
    user_id = await people.seed()
    change = pb.UpdateProfileRequest(user_id=user_id, email=NEW, current_password=PASSWORD)

    asked = await people.call(change)
    token = await people.token_in_mail(NEW)
    await people.call(pb.VerifyEmailRequest(token=token))

    assert asked.profile.email == EMAIL
    assert (await people.mails_to(EMAIL))[0].subject == "Адрес учётной записи меняется"
    assert (await people.log_in(NEW)).profile.email == NEW
    assert (await people.refused_login(EMAIL, PASSWORD)).reason is ErrorReason.INVALID_CREDENTIALS
    assert (await people.refused(pb.VerifyEmailRequest(token=token))).reason is ErrorReason.INVALID_TOKEN


async def test_an_address_that_somebody_has_is_not_told_apart(people: People) -> None:
    """The same answer; the holder gets a mail without a link."""
    user_id = await people.seed()
    await people.seed("boris@example.ru")

    answer = await people.call(
        pb.UpdateProfileRequest(user_id=user_id, email="boris@example.ru", current_password=PASSWORD)
    )

    mail = (await people.mails_to("boris@example.ru"))[0]
    assert answer.profile.email == EMAIL
    assert "token=" not in mail.text


async def test_an_address_taken_meanwhile_cannot_be_taken_over(people: People) -> None:
    """Two want one address: the first to follow the link has it."""
    first, second = await people.seed(), await people.seed("boris@example.ru")
    for user_id in (first, second):
        await people.call(pb.UpdateProfileRequest(user_id=user_id, email=NEW, current_password=PASSWORD))
    mails = await people.mails_to(NEW, 2)
    tokens = [mail.text.partition("token=")[2][:43] for mail in mails]
    await people.call(pb.VerifyEmailRequest(token=tokens[0]))

    refusal = await people.refused(pb.VerifyEmailRequest(token=tokens[1]))

    assert refusal.reason is ErrorReason.INVALID_TOKEN
    assert (await people.log_in(NEW)).profile.user_id == first


async def test_oauth_sees_accounts_that_may_act(people: People, auth_pool: Pool) -> None:
    """Claims of a live account; nobody where it is disabled, deleted or unknown."""
    user_id = await people.seed(name="Anna", admin=True)
    disabled = await people.seed("disabled@example.ru")
    await auth_pool.execute("UPDATE auth.users SET disabled_at = now() WHERE id = $1", disabled)
    accounts = AccountStore(auth_pool)

    account = await accounts.find_usable(user_id)

    assert account is not None
    assert (account.email, account.name, account.is_admin) == (EMAIL, "Anna", True)
    assert account.email_verified_at is not None
    assert (await accounts.find_usable(disabled), await accounts.find_usable("nobody")) == (None, None)
