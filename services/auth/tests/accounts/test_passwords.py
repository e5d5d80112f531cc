"""Changing and resetting passwords."""

from __future__ import annotations

import asyncio
from typing import TypeAlias

import asyncpg
import pytest
from razvilka.auth.v1 import account_pb2 as pb
from redis.asyncio import Redis

from servicekit.errors import ErrorReason, ServiceError
from services.auth.accounts.grants_of_user import EndReason
from services.auth.oauth.store.grants_of_user import ENDS_APPLICATIONS
from services.auth.tests.accounts.conftest import ELSEWHERE, EMAIL, PASSWORD, People, audit_actions
from services.auth.tests.accounts.test_sessions import revoked

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NEW = "a heron over Kizhi 4"

INSERT_CLIENT = """
INSERT INTO auth.oauth_clients (id, name, auth_methods, redirect_uris, scopes, grant_types, created_at)
VALUES ('app', 'App', '{none}', '{}', '{}', '{}', now())
"""
INSERT_GRANT = """
INSERT INTO auth.oauth_grants (id, kind, client_id, user_id, consent_id, scopes, created_at, last_used_at, session_id)
VALUES ($1, 'authorization_code', 'app', $2, $1, '{models:read}', now(), now(), $3)
"""


async def give_grant(pool: Pool, grant_id: str, user_id: str, session_id: str | None = None) -> None:
    """Let an application in."""
    await pool.execute(INSERT_CLIENT + "ON CONFLICT DO NOTHING")
    await pool.execute(INSERT_GRANT, grant_id, user_id, session_id)


async def reset_token(people: People, email: str = EMAIL, count: int = 1) -> str:
    """Ask for a reset and return the token in its mail."""
    await people.call(pb.RequestPasswordResetRequest(email=email))
    return await people.token_in_mail(email, count)


async def test_unknown_addresses_get_the_same_answer_and_no_mail(people: People, auth_pool: Pool) -> None:
    """Rule 44, also for accounts that may not be used."""
    await people.seed()
    disabled = await people.seed("disabled@example.ru")
    await auth_pool.execute("UPDATE auth.users SET disabled_at = now() WHERE id = $1", disabled)

    answers = [
        await people.call(pb.RequestPasswordResetRequest(email=email))
        for email in ("nobody@example.ru", "disabled@example.ru", EMAIL)
    ]

    await people.mails_to(EMAIL)
    assert answers == [pb.RequestPasswordResetResponse()] * 3
    assert [mail.to for mail in await people.outbox()] == [EMAIL]


@pytest.mark.parametrize("given", ["", "x", "\0", "токен", "x" * 10_000])
async def test_made_up_links_change_nothing(people: People, given: str) -> None:
    """The password stays."""
    await people.seed()

    refusal = await people.refused(pb.ResetPasswordRequest(token=given, password=NEW))

    assert refusal.reason is ErrorReason.INVALID_TOKEN
    assert (await people.log_in()).session_id


async def test_a_reset_ends_everything_opened_before(people: People, auth_pool: Pool, redis_client: Redis) -> None:
    """Rule 31: sessions and grants end, on every gateway; the new password opens, and its owner is told."""
    user_id = await people.seed()
    session = await people.log_in()
    await give_grant(auth_pool, "g1", user_id)
    token = await reset_token(people)

    await people.call(pb.ResetPasswordRequest(token=token, password=NEW))

    assert not await people.is_logged_in(session.session_id)
    assert await revoked(redis_client) == {("session", session.session.id), ("grant", "g1")}
    assert (await people.refused_login(password=PASSWORD)).reason is ErrorReason.INVALID_CREDENTIALS
    assert (await people.log_in(password=NEW)).session_id
    assert (await people.mails_to(EMAIL, 2))[-1].subject == "Пароль изменён"
    assert "password.reset" in await audit_actions(auth_pool, user_id)


async def test_a_reset_link_counts_once_and_for_30_minutes(people: People) -> None:
    """Used, outdated, and made worthless by another change."""
    user_id = await people.seed()
    used = await reset_token(people)
    other = await reset_token(people, count=2)
    await people.call(pb.ResetPasswordRequest(token=used, password=NEW))
    late = await reset_token(people, count=4)
    people.clock.advance(30 * 60)
    fourth = await reset_token(people, count=5)
    change = pb.ChangePasswordRequest(user_id=user_id, current_password=NEW, new_password=PASSWORD)
    await people.call(change)

    refusals = [
        await people.refused(pb.ResetPasswordRequest(token=token, password="yet another one"))
        for token in (used, other, late, fourth)
    ]

    assert {refusal.reason for refusal in refusals} == {ErrorReason.INVALID_TOKEN}


async def test_a_weak_password_does_not_use_the_link_up(people: People) -> None:
    """One may try again with a better one."""
    await people.seed()
    token = await reset_token(people)

    refusal = await people.refused(pb.ResetPasswordRequest(token=token, password="password1"))

    assert refusal.details == {"problem": "password_common"}
    await people.call(pb.ResetPasswordRequest(token=token, password=NEW))


async def test_fifty_resets_at_once_set_one_password(people: People) -> None:
    """One winner, whose password it is."""
    await people.seed()
    token = await reset_token(people)
    requests = [pb.ResetPasswordRequest(token=token, password=f"{NEW} {n}") for n in range(50)]

    results: list[object] = []
    for start in range(0, 50, 25):
        results += await asyncio.gather(
            *(people.call(request) for request in requests[start : start + 25]), return_exceptions=True
        )

    winners = [n for n, result in enumerate(results) if isinstance(result, pb.ResetPasswordResponse)]
    refusals = {result.reason for result in results if isinstance(result, ServiceError)}
    assert len(winners) == 1
    assert refusals == {ErrorReason.INVALID_TOKEN}
    assert (await people.log_in(password=f"{NEW} {winners[0]}")).session_id


async def test_an_account_of_release_1_0_gets_a_password_by_mail(people: People) -> None:
    """Its address is verified by that."""
    await people.auth.new_user("old@example.ru")
    token = await reset_token(people, "old@example.ru")

    await people.call(pb.ResetPasswordRequest(token=token, password=NEW))

    assert (await people.log_in("old@example.ru", NEW)).profile.email_verified


async def test_a_reset_ends_the_pause_for_who_forgot(people: People) -> None:
    """Who proved the mailbox need not wait."""
    await people.seed()
    for _ in range(6):
        await people.refused_login()

    await people.call(pb.ResetPasswordRequest(token=await reset_token(people), password=NEW))

    assert (await people.log_in(password=NEW)).session_id


async def test_a_change_needs_the_present_password(people: People, auth_pool: Pool) -> None:
    """And an acceptable new one, and a user who exists."""
    user_id = await people.seed()
    wrong = pb.ChangePasswordRequest(user_id=user_id, current_password="wrong wrong", new_password=NEW)
    weak = pb.ChangePasswordRequest(user_id=user_id, current_password=PASSWORD, new_password="qwerty123")
    nobody = pb.ChangePasswordRequest(user_id="nobody", current_password=PASSWORD, new_password=NEW)

    reasons = [(await people.refused(request)).reason for request in (wrong, weak, nobody)]

    assert reasons == [ErrorReason.INVALID_CREDENTIALS, ErrorReason.INVALID_PARAMETERS, ErrorReason.NOT_FOUND]
    assert await audit_actions(auth_pool, user_id) == ["user.seeded"]


async def test_a_change_keeps_this_session_and_ends_the_others(
    people: People, auth_pool: Pool, redis_client: Redis
) -> None:
    """Refresh tokens end too."""
    user_id = await people.seed()
    here, there = await people.log_in(), await people.log_in(ip=ELSEWHERE)
    await give_grant(auth_pool, "g1", user_id)

    await people.call(
        pb.ChangePasswordRequest(
            user_id=user_id, current_password=PASSWORD, new_password=NEW, keep_session_id=here.session_id
        )
    )

    assert await people.is_logged_in(here.session_id)
    assert not await people.is_logged_in(there.session_id)
    assert await revoked(redis_client) == {("session", there.session.id), ("grant", "g1")}


async def test_nobody_elses_session_is_kept(people: People) -> None:
    """The session to keep must be the user's own."""
    user_id = await people.seed()
    await people.seed("boris@example.ru")
    mine, his = await people.log_in(), await people.log_in("boris@example.ru")

    await people.call(
        pb.ChangePasswordRequest(
            user_id=user_id, current_password=PASSWORD, new_password=NEW, keep_session_id=his.session_id
        )
    )

    assert not await people.is_logged_in(mine.session_id)
    assert await people.is_logged_in(his.session_id)


async def test_logout_ends_what_was_granted_in_that_session(
    people: People, auth_pool: Pool, redis_client: Redis
) -> None:
    """Rule 31; what was granted elsewhere goes on."""
    user_id = await people.seed()
    login = await people.log_in()
    await give_grant(auth_pool, "here", user_id, login.session.id)
    await give_grant(auth_pool, "elsewhere", user_id, "another-session")

    await people.call(pb.LogoutRequest(session_id=login.session_id))

    assert await revoked(redis_client) == {("session", login.session.id), ("grant", "here")}


def test_both_sides_mean_the_same_reason() -> None:
    """OAuth, which does not import accounts, knows the reason that ends applications."""
    assert frozenset({EndReason.ACCOUNT_DELETED.value}) == ENDS_APPLICATIONS
