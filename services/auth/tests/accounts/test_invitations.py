"""People of release 1.0 have an address and no password: each is written to once, and sets one by the link."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import asyncpg
import pytest
from razvilka.auth.v1 import account_pb2 as pb

from servicekit.errors import ErrorReason, NotFound
from servicekit.testing import FakeClock
from services.auth.accounts.assembly import DELIVER_MAILS_EVERY_S
from services.auth.accounts.domain.invitation import InvitationState
from services.auth.accounts.domain.mail import MailKind, NewMail, NotSent
from services.auth.accounts.mail.invitations import Invitations
from services.auth.accounts.store.invitations import InvitationStore
from services.auth.accounts.store.mails import MailStore
from services.auth.tests.accounts.conftest import EMAIL, PASSWORD, People, StartPeople, audit_actions
from services.auth.tests.conftest import settings_for

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
SOURCE: Final = "old.db"
WHEN: Final = datetime(2025, 3, 4, 12, tzinfo=UTC)


async def bring(pool: Pool, *accounts: tuple[str, str], **changes: Any) -> None:
    """Have accounts arrive as the move brings them."""
    await pool.execute("INSERT INTO auth.imports (source_id) VALUES ($1) ON CONFLICT DO NOTHING", SOURCE)
    for number, (id_, email) in enumerate(accounts):
        at = WHEN + timedelta(days=number)
        await pool.execute(
            "INSERT INTO auth.users (id, email, created_at, updated_at) VALUES ($1, $2, $3, $3)", id_, email, at
        )
        await pool.execute(
            "INSERT INTO auth.imported_rows (source_id, kind, id, source_row) VALUES ($1, 'user', $2, $2)", SOURCE, id_
        )
        for column, value in changes.items():
            await pool.execute(f"UPDATE auth.users SET {column} = $2 WHERE id = $1", id_, value)


@pytest.fixture
def invitations(auth_pool: Pool, clock: FakeClock) -> Invitations:
    """Return the invitations of the source."""
    return Invitations(InvitationStore(auth_pool), SOURCE, clock=clock)


@pytest.fixture
async def people(start_people: StartPeople, auth_dsn: str, redis_url: str) -> AsyncIterator[People]:
    """Return people at an auth service whose mail job has been round once: its next round is the one of the test."""
    # No other job pauses for as long as that of mails.
    upkeep = {"last_use_every_s": DELIVER_MAILS_EVERY_S + 1}
    async with start_people(settings_for(auth_dsn, redis_url, demo=True, outbox=True, upkeep=upkeep)) as found:
        async with asyncio.timeout(60):
            while DELIVER_MAILS_EVERY_S not in found.clock.slept_s:
                await asyncio.sleep(0.01)
        yield found


async def states(invitations: Invitations) -> dict[str, str]:
    """Return how far each account has come."""
    return {each.user_id: each.state.value for each in await invitations.all()}


async def delivered(people: People) -> None:
    """Have the waiting mails sent: the job comes round every five seconds."""
    people.clock.advance(DELIVER_MAILS_EVERY_S)


async def test_an_invited_owner_sets_a_password_and_keeps_the_keys(
    people: People, invitations: Invitations, auth_pool: Pool
) -> None:
    """The address counts as verified; nothing else about the account changes."""
    await bring(auth_pool, ("user-1", EMAIL))
    key = (await people.auth.new_key("user-1")).secret
    before = await people.refused_login()

    assert await invitations.invite(["user-1"], None) == ["user-1"]
    await delivered(people)
    token = await people.token_in_mail(EMAIL)
    await people.call(pb.ResetPasswordRequest(token=token, password=PASSWORD))

    assert before.reason is ErrorReason.INVALID_CREDENTIALS
    assert before.message == (await people.refused_login("nobody@example.ru")).message
    assert (await people.log_in()).profile.email_verified
    assert (await people.auth.verify(key)).user_id == "user-1"
    assert await states(invitations) == {"user-1": "claimed"}
    assert "password.reset" in await audit_actions(auth_pool, "user-1")


@pytest.mark.parametrize(("language", "subject"), [("ru", "Задайте пароль"), ("en", "Set a password")])
async def test_the_invitation_is_written_in_the_language_that_is_asked_for(
    people: People, invitations: Invitations, auth_pool: Pool, language: str, subject: str
) -> None:
    await bring(auth_pool, ("user-1", EMAIL))

    await invitations.invite(["user-1"], language)
    await delivered(people)

    [mail] = await people.mails_to(EMAIL)
    assert mail.subject.startswith(subject)
    assert "/reset-password?token=" in mail.text
    assert "/forgot-password" in mail.text


async def test_nobody_is_written_to_twice(people: People, invitations: Invitations, auth_pool: Pool) -> None:
    """Not by another run, and not by two at once."""
    await bring(auth_pool, *((f"u{n}", f"u{n}@example.ru") for n in range(6)))
    everybody = [f"u{n}" for n in range(6)]

    at_once = await asyncio.gather(*(invitations.invite(everybody, None) for _ in range(3)))
    again = await invitations.invite(everybody, None)

    assert sorted(len(each) for each in at_once) == [0, 0, 6]
    assert again == []
    await delivered(people)
    for number in range(6):
        assert len(await people.mails_to(f"u{number}@example.ru")) == 1
    assert len(await people.outbox()) == 6
    assert {each.state for each in await invitations.all()} == {InvitationState.SENT}


async def test_who_cannot_or_need_not_be_written_to_is_left_out(
    people: People, invitations: Invitations, auth_pool: Pool
) -> None:
    """No address of their own, shut, in already, of another source."""
    await bring(auth_pool, ("nowhere", "user-1@moved.invalid"))
    await bring(auth_pool, ("shut", "shut@example.ru"), disabled_at=WHEN)
    await bring(auth_pool, ("claimed", "claimed@example.ru"), password_hash="$argon2id$")
    await bring(auth_pool, ("elsewhere", "elsewhere@example.ru"))
    await auth_pool.execute(
        "INSERT INTO auth.external_identities VALUES ('https://id.example', '1', 'elsewhere', $1, $1)", WHEN
    )
    born_here = await people.seed("born@example.ru")
    everybody = ["nowhere", "shut", "claimed", "elsewhere", born_here]

    assert await invitations.invite(everybody, None) == []
    assert await states(invitations) == {
        "nowhere": "no_address", "shut": "shut", "claimed": "claimed", "elsewhere": "claimed",
    }  # fmt: skip


async def test_a_source_that_brought_nothing_is_told(auth_pool: Pool, clock: FakeClock) -> None:
    with pytest.raises(NotFound):
        await Invitations(InvitationStore(auth_pool), "other.db", clock=clock).all()


async def test_a_link_counts_once_and_for_a_week(people: People, invitations: Invitations, auth_pool: Pool) -> None:
    await bring(auth_pool, ("user-1", EMAIL), ("user-2", "late@example.ru"))
    await invitations.invite(["user-1", "user-2"], None)
    await delivered(people)
    token, late = await people.token_in_mail(EMAIL), await people.token_in_mail("late@example.ru")

    people.clock.advance(timedelta(days=7).total_seconds() - 1)
    await people.call(pb.ResetPasswordRequest(token=token, password=PASSWORD))
    people.clock.advance(1)

    for worthless in (token, late):
        refused = await people.refused(pb.ResetPasswordRequest(token=worthless, password=PASSWORD))
        assert refused.reason is ErrorReason.INVALID_TOKEN


async def test_an_invitation_opens_no_account_that_has_a_password(
    people: People, invitations: Invitations, auth_pool: Pool
) -> None:
    """Set by an operator, say, while the mail lay in its box."""
    await bring(auth_pool, ("user-1", EMAIL))
    await invitations.invite(["user-1"], None)
    await delivered(people)
    token = await people.token_in_mail(EMAIL)
    await people.seed()

    refused = await people.refused(pb.ResetPasswordRequest(token=token, password="another rowan-17"))

    assert refused.reason is ErrorReason.INVALID_TOKEN
    assert (await people.log_in()).session_id


async def test_a_link_to_an_address_that_1_0_changed_since_is_worth_nothing(
    people: People, invitations: Invitations, auth_pool: Pool
) -> None:
    """Its box may be somebody else's by now; the new address is written to by the next run."""
    await bring(auth_pool, ("user-1", EMAIL))
    await invitations.invite(["user-1"], None)
    await delivered(people)
    token = await people.token_in_mail(EMAIL)
    await auth_pool.execute("UPDATE auth.users SET email = 'new@example.ru'")

    refused = await people.refused(pb.ResetPasswordRequest(token=token, password=PASSWORD))

    assert refused.reason is ErrorReason.INVALID_TOKEN
    assert await states(invitations) == {"user-1": "open"}
    assert await invitations.invite(["user-1"], None) == ["user-1"]


async def waiting_mails(pool: Pool) -> Sequence[Any]:
    """Return what is still to be sent."""
    return await pool.fetch("SELECT id FROM auth.mails WHERE sent_at IS NULL")


async def test_a_mail_that_never_went_out_is_told_and_sent_by_a_later_run(
    invitations: Invitations, auth_pool: Pool, clock: FakeClock
) -> None:
    """A week without a mail server; one that the server refused for good is not sent again."""
    await bring(auth_pool, ("user-1", EMAIL), ("user-2", "refused@example.ru"))
    await invitations.invite(["user-1", "user-2"], None)
    mails = MailStore(auth_pool)
    refused = await auth_pool.fetchval("SELECT mail_id FROM auth.invitations WHERE user_id = 'user-2'")
    await mails.give_up(refused, NotSent.REFUSED)
    waiting = await states(invitations)
    clock.advance(NewMail(MailKind.CLAIM, EMAIL, "ru").life.total_seconds())
    assert await mails.forget_over(clock.now()) == 1

    over = await states(invitations)
    again = await invitations.invite(["user-1", "user-2"], None)

    assert waiting == {"user-1": "waiting", "user-2": "refused"}
    assert over == {"user-1": "given_up", "user-2": "refused"}
    assert again == ["user-1"]
    assert len(await waiting_mails(auth_pool)) == 1


async def test_an_account_that_was_shut_meanwhile_gets_no_mail(
    people: People, invitations: Invitations, auth_pool: Pool
) -> None:
    """Looked at again when the mail's turn comes; opened again, it is written to by a later run."""
    await bring(auth_pool, ("user-1", EMAIL))
    await invitations.invite(["user-1"], None)
    await auth_pool.execute("UPDATE auth.users SET disabled_at = $1", WHEN)
    await delivered(people)
    async with asyncio.timeout(60):
        while await waiting_mails(auth_pool):
            await asyncio.sleep(0.01)
    await auth_pool.execute("UPDATE auth.users SET disabled_at = NULL")

    assert await states(invitations) == {"user-1": "unneeded"}
    assert await invitations.invite(["user-1"], None) == ["user-1"]
    assert await people.outbox() == []


async def test_taking_the_move_back_takes_its_invitations_too(invitations: Invitations, auth_pool: Pool) -> None:
    await bring(auth_pool, ("user-1", EMAIL))
    await invitations.invite(["user-1"], None)

    await auth_pool.execute("DELETE FROM auth.users")

    assert await auth_pool.fetchval("SELECT count(*) FROM auth.invitations") == 0
    assert await waiting_mails(auth_pool) == []
