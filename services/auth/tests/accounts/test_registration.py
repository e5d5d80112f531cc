"""Becoming a user."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

import asyncpg
import pytest
from razvilka.auth.v1 import account_pb2 as pb

from servicekit.errors import ErrorReason, ServiceError
from services.auth.tests.accounts.conftest import EMAIL, PASSWORD, People, audit_actions

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


def registration(**fields: str) -> pb.RegisterRequest:
    """Return a good registration with some fields changed."""
    given: dict[str, Any] = {"email": EMAIL, "password": PASSWORD, "name": "Анна", "language": "en"}
    return pb.RegisterRequest(**(given | fields))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        pytest.param({"email": "nobody"}, "email", id="no address"),
        pytest.param({"email": "a@b\r\nBcc: c@d.ru"}, "email", id="header in the address"),
        pytest.param({"password": "seven77"}, "password", id="7 characters"),
        pytest.param({"password": "x y" * 86}, "password", id="258 characters"),
        pytest.param({"password": "password123"}, "password", id="common"),
        pytest.param({"password": "Qwerty123456"}, "password", id="common, other capitals"),
        pytest.param({"password": "gfhjkm123"}, "password", id="Russian word in English layout"),
        pytest.param({"password": "йцукен123"}, "password", id="Russian keyboard row"),
        pytest.param({"password": "annaanna"}, "password", id="name in the address, twice"),
        pytest.param({"password": EMAIL}, "password", id="the address"),
        pytest.param({"password": "abcdefghijkl"}, "password", id="alphabet"),
        pytest.param({"password": "zzzzzzzzzzzz"}, "password", id="one character"),
        pytest.param({"name": "x" * 101}, "name", id="long name"),
        pytest.param({"language": "de"}, "language", id="unknown language"),
    ],
)
async def test_bad_registrations_are_refused(people: People, fields: dict[str, str], param: str) -> None:
    """The field at fault is named, and nothing is mailed."""
    refusal = await people.refused(registration(**fields))

    assert refusal.reason is ErrorReason.INVALID_PARAMETERS
    assert refusal.param == param
    assert await people.outbox() == []


async def test_there_is_no_account_before_the_link_is_followed(people: People, auth_pool: Pool) -> None:
    """Asking makes nothing; the link makes a verified account that its password opens."""
    await people.call(registration())
    before = await people.refused_login(EMAIL, PASSWORD)
    users_before = await auth_pool.fetchval("SELECT count(*) FROM auth.users")

    verified = await people.call(pb.VerifyEmailRequest(token=await people.token_in_mail(EMAIL)))

    login = await people.log_in("ANNA@Example.RU")
    assert before.reason is ErrorReason.INVALID_CREDENTIALS
    assert users_before == 0
    assert login.profile.user_id == verified.user_id
    assert (login.profile.email_verified, login.profile.name, login.profile.language) == (True, "Анна", "en")
    assert await audit_actions(auth_pool, verified.user_id) == ["user.created", "user.logged_in"]


async def test_answers_alike_whether_or_not_the_address_is_known(people: People) -> None:
    """Rule 44: the holder of a known address is told by mail, who asked is told nothing."""
    await people.seed("boris@example.ru")

    unknown = await people.call(registration())
    known = await people.call(registration(email="Boris@example.ru"))

    mail = (await people.mails_to("Boris@example.ru"))[0]
    assert unknown == known == pb.RegisterResponse()
    assert mail.subject == "You already have an account"
    assert "token=" not in mail.text


async def test_a_link_counts_once_and_only_for_its_purpose(people: People) -> None:
    """Used, made up, overlong and reset links make no account."""
    await people.seed("boris@example.ru")
    await people.call(registration())
    token = await people.token_in_mail(EMAIL)
    await people.call(pb.VerifyEmailRequest(token=token))
    await people.call(pb.RequestPasswordResetRequest(email="boris@example.ru"))
    reset = await people.token_in_mail("boris@example.ru")

    refusals = [
        await people.refused(pb.VerifyEmailRequest(token=given))
        for given in (token, "", "x", "x" * 5000, "\0", "токен", reset)
    ]

    assert {refusal.reason for refusal in refusals} == {ErrorReason.INVALID_TOKEN}


async def test_a_link_ends_after_a_day(people: People) -> None:
    """Old mail opens nothing."""
    await people.call(registration())
    token = await people.token_in_mail(EMAIL)
    people.clock.advance(24 * 3600)

    refusal = await people.refused(pb.VerifyEmailRequest(token=token))

    assert refusal.reason is ErrorReason.INVALID_TOKEN


async def test_the_first_link_followed_decides_the_password(people: People) -> None:
    """What others began with the same address ends there."""
    await people.call(registration(password="the stranger's 9"))
    stranger = await people.token_in_mail(EMAIL)
    await people.call(registration())
    await people.call(pb.VerifyEmailRequest(token=await people.token_in_mail(EMAIL, 2)))

    late = await people.refused(pb.VerifyEmailRequest(token=stranger))

    assert late.reason is ErrorReason.INVALID_TOKEN
    assert (await people.refused_login(EMAIL, "the stranger's 9")).reason is ErrorReason.INVALID_CREDENTIALS
    assert (await people.log_in()).session_id


async def test_fifty_at_once_make_one_account(people: People, auth_pool: Pool) -> None:
    """A link is used up by one statement."""
    await people.call(registration())
    token = await people.token_in_mail(EMAIL)

    results = await asyncio.gather(
        *(people.call(pb.VerifyEmailRequest(token=token)) for _ in range(50)), return_exceptions=True
    )

    refusals = [result for result in results if isinstance(result, ServiceError)]
    assert len(refusals) == 49
    assert {refusal.reason for refusal in refusals} == {ErrorReason.INVALID_TOKEN}
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.users") == 1


async def test_no_link_and_no_password_lies_in_the_database(people: People, auth_pool: Pool) -> None:
    """Tokens are stored as hashes; the local outbox, which is for demonstrations, alone keeps letters."""
    await people.call(registration())
    token = await people.token_in_mail(EMAIL)

    rows = await auth_pool.fetch("SELECT to_jsonb(t)::text AS row FROM auth.mailed_tokens AS t")

    assert len(rows) == 1
    assert token not in rows[0]["row"]
    assert PASSWORD not in rows[0]["row"]
    assert "$argon2id$" in rows[0]["row"]


async def test_a_mailbox_is_not_flooded(people: People) -> None:
    """After a few mails to one address it is not written to for a while; others are."""
    for _ in range(5):
        await people.call(registration())

    refusal = await people.refused(registration())

    assert refusal.reason is ErrorReason.RATE_LIMIT_EXCEEDED
    assert refusal.retry_after_s == pytest.approx(60)
    await people.call(registration(email="vera@example.ru"))


async def test_a_password_is_taken_whole_and_in_one_form(people: People) -> None:
    """128 characters and more count to the last one; two ways to write a character are one."""
    await people.seed("long@example.ru", "0123456789 абвг" * 12)
    await people.seed("forms@example.ru", "cafe\u0301 ﬁnale")

    cut = await people.refused_login("long@example.ru", ("0123456789 абвг" * 12)[:-1])

    assert cut.reason is ErrorReason.INVALID_CREDENTIALS
    assert (await people.log_in("long@example.ru", "0123456789 абвг" * 12)).session_id
    assert (await people.log_in("forms@example.ru", "café finale")).session_id
