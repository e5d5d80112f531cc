"""Links that are still on their way die with those in the mail box."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeAlias

import asyncpg
from razvilka.auth.v1 import account_pb2 as pb

from servicekit.errors import ErrorReason
from servicekit.testing import FakeClock
from services.auth.accounts.domain.mail import MailKind, NewMail, TokenPurpose, token_hash
from services.auth.accounts.store.mailed_tokens import MailedTokenStore, end_tokens_of_user
from services.auth.accounts.store.mails import MailStore, insert_mail
from services.auth.tests.accounts.conftest import PASSWORD, People
from services.auth.tests.accounts.test_passwords import reset_token
from services.auth.tests.units import begin

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NEW = "a heron over Kizhi 4"
TOKENS = "SELECT count(*) FROM auth.mailed_tokens WHERE purpose = 'email_change'"


async def ask_for_another_address(pool: Pool, clock: FakeClock, user_id: str) -> None:
    """Leave a mail that waits, as when the mail server is away."""
    mail = NewMail(MailKind.EMAIL_CHANGE, "anna@attacker.example", "ru", user_id)
    async with begin(pool, clock) as unit:
        await insert_mail(unit.connection, mail, unit.at + timedelta(minutes=1))


async def test_a_new_password_takes_back_the_link_to_another_address_that_waits_for_the_mail_server(
    people: People, auth_pool: Pool
) -> None:
    """Else it gets a token when it is tried again, and whoever asked for it takes the account with it."""
    user_id = await people.seed()
    await ask_for_another_address(auth_pool, people.clock, user_id)

    await people.call(pb.ChangePasswordRequest(user_id=user_id, current_password=PASSWORD, new_password=NEW))
    people.clock.advance(120)
    await people.call(pb.RequestPasswordResetRequest(email="nobody@example.ru"))

    assert await auth_pool.fetchval("SELECT count(*) FROM auth.mails WHERE kind = 'email_change'") == 0
    assert await auth_pool.fetchval(TOKENS) == 0


async def test_a_mail_that_is_taken_back_while_it_is_written_gets_no_token(people: People, auth_pool: Pool) -> None:
    """Its link would be new, and good, when all others have just ended."""
    user_id = await people.seed()
    await ask_for_another_address(auth_pool, people.clock, user_id)
    (mail,) = await MailStore(auth_pool).claim(people.clock.now() + timedelta(minutes=2), limit=1, for_s=300.0)
    async with begin(auth_pool, people.clock) as unit:
        await end_tokens_of_user(unit.connection, user_id)

    is_kept = await MailedTokenStore(auth_pool).put(
        token_hash("late"), TokenPurpose.EMAIL_CHANGE, mail, user_id, people.clock.now()
    )

    assert not is_kept
    assert await auth_pool.fetchval(TOKENS) == 0


async def test_a_reset_link_that_went_to_an_earlier_address_sets_no_password(people: People, auth_pool: Pool) -> None:
    """The address changed while the mail was being written: the link lies in somebody else's box by now."""
    user_id = await people.seed()
    token = await reset_token(people)
    await auth_pool.execute("UPDATE auth.users SET email = 'new@example.ru' WHERE id = $1", user_id)

    refusal = await people.refused(pb.ResetPasswordRequest(token=token, password=NEW))

    assert refusal.reason is ErrorReason.INVALID_TOKEN
    assert (await people.log_in("new@example.ru")).session_id
