"""Mails: each gets out, whatever dies on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import asyncpg
import pytest
from razvilka.auth.v1 import account_pb2 as pb

from servicekit.lifecycle import Background
from servicekit.mail.settings import SmtpSettings
from servicekit.mail.smtp import SmtpSender
from servicekit.testing import FakeClock
from servicekit.testing.smtp_server import SmtpServer
from services.auth.accounts.domain.mail import MailKind, NewMail, Template, TokenPurpose, retry_after, token_hash
from services.auth.accounts.mail.delivery import MailDelivery
from services.auth.accounts.mail.templates import TEXTS, TemplateWriter
from services.auth.accounts.mail.transport import SmtpTransport
from services.auth.accounts.store.accounts import set_disabled
from services.auth.accounts.store.mailed_tokens import MailedTokenStore, end_tokens_of_user
from services.auth.accounts.store.mails import MailStore, insert_mail
from services.auth.shared.domain.tier import Tier
from services.auth.shared.store.accounts import AccountStore
from services.auth.tests.accounts.conftest import EMAIL, PASSWORD, People, StartPeople
from services.auth.tests.conftest import settings_for
from services.auth.tests.planted_user import plant_user

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
REGISTER = pb.RegisterRequest(email=EMAIL, password=PASSWORD, language="ru")


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpServer]:
    """Return a mail server."""
    async with SmtpServer() as server:
        yield server


@pytest.fixture
async def mailing(start_people: StartPeople, smtp: SmtpServer, auth_dsn: str, redis_url: str) -> AsyncIterator[People]:
    """Return people whose mails go to the server."""
    there = {"host": "127.0.0.1", "port": smtp.port, "tls": "none", "sender": "Развилка <no-reply@example.ru>"}
    settings = settings_for(*(auth_dsn, redis_url), smtp=there, public={"url": "https://llm.example.ru"}, outbox=True)
    async with start_people(settings) as people:
        yield people


async def until(true: Callable[[], bool]) -> None:
    """Return when it is true."""
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)


async def until_rows(pool: Pool, query: str, wanted: object) -> None:
    """Return when the query says so."""
    async with asyncio.timeout(60):
        while await pool.fetchval(query) != wanted:
            await asyncio.sleep(0.01)


async def test_a_mail_reaches_the_server_and_leaves_the_database(
    mailing: People, smtp: SmtpServer, auth_pool: Pool
) -> None:
    """Headers are ours, the link is the gateway's, nothing is kept, and the link works."""
    await mailing.call(REGISTER)

    await until(lambda: bool(smtp.received))

    mail = smtp.received[0]
    text = mail.get_content()
    token = text.partition("https://llm.example.ru/verify-email?token=")[2][:43]
    assert (mail["To"], mail["Subject"], mail["Auto-Submitted"]) == (EMAIL, "Подтвердите адрес", "auto-generated")
    assert mail["From"] == "Развилка <no-reply@example.ru>"
    await until_rows(auth_pool, "SELECT count(*) FROM auth.mails", 0)
    assert (await mailing.call(pb.VerifyEmailRequest(token=token))).user_id
    assert await mailing.outbox() == []


@pytest.fixture
def delivery(smtp: SmtpServer, auth_pool: Pool, clock: FakeClock) -> MailDelivery:
    """Return the delivery to the server without the job that repeats it: it works when a test says so."""
    mails = MailStore(auth_pool)
    settings = SmtpSettings(host="127.0.0.1", port=smtp.port, sender="no-reply@example.ru", tls="none")
    transport = SmtpTransport(SmtpSender(settings, clock=clock), mails)
    tokens, accounts, writer = MailedTokenStore(auth_pool), AccountStore(auth_pool), TemplateWriter("https://x.ru")
    return MailDelivery(mails, tokens, accounts, writer, transport, clock=clock, background=Background())


@pytest.mark.parametrize("kind", [kind for kind in MailKind if kind not in (MailKind.REGISTER, MailKind.DELETED)])
async def test_what_waits_for_an_account_that_is_shut_meanwhile_is_not_sent(
    delivery: MailDelivery, smtp: SmtpServer, auth_dsn: str, auth_pool: Pool, clock: FakeClock, kind: MailKind
) -> None:
    """Links and notices, also to another address that it wished; those of others go."""
    shut, other = [await plant_user(auth_dsn, email, Tier.FREE) for email in ("shut@example.ru", "other@example.ru")]
    async with auth_pool.acquire() as connection:
        for user_id, email in ((shut, "shut@example.ru"), (other, "other@example.ru")):
            address = f"new-{email}" if kind is MailKind.EMAIL_CHANGE else email
            await connection.execute("UPDATE auth.users SET password_hash = NULL WHERE id = $1", user_id)
            await insert_mail(connection, NewMail(kind, address, "ru", user_id), clock.now())
        await set_disabled(connection, shut, clock.now(), disabled=True)

    await delivery.deliver()

    assert [mail["To"].removeprefix("new-") for mail in smtp.received] == ["other@example.ru"]
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.mails") == 0


async def test_a_mail_that_is_not_taken_now_is_sent_again(
    delivery: MailDelivery, smtp: SmtpServer, auth_pool: Pool, clock: FakeClock
) -> None:
    """Pauses double from 10 seconds on, not a second less; the token that arrives is the only one there is."""
    smtp.answers = ["451 later", "450 later"]
    async with auth_pool.acquire() as connection:
        await insert_mail(connection, NewMail(MailKind.REGISTER, EMAIL, "ru"), clock.now())
    for pause_s in (10, 20):
        await delivery.deliver()
        clock.advance(pause_s - 1)
        await delivery.deliver()
        clock.advance(1)
    refused = list(smtp.received)

    await delivery.deliver()

    (mail,) = smtp.received
    token = mail.get_content().partition("token=")[2][:43]
    found = await MailedTokenStore(auth_pool).find(token_hash(token), [TokenPurpose.REGISTER], clock.now())
    assert (refused, smtp.answers) == ([], [])
    assert found is not None
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.mailed_tokens") == 1


async def test_a_link_that_was_not_sent_yet_ends_with_those_that_were(
    delivery: MailDelivery, smtp: SmtpServer, auth_pool: Pool, auth_dsn: str, clock: FakeClock
) -> None:
    """A new address that a thief asked for does not count after a reset of the password, however late its mail is."""
    user_id = await plant_user(auth_dsn)
    smtp.answers = ["451 later"]
    async with auth_pool.acquire() as connection:
        await insert_mail(connection, NewMail(MailKind.EMAIL_CHANGE, "thief@example.ru", "ru", user_id), clock.now())
        await delivery.deliver()
        await end_tokens_of_user(connection, user_id)
        await insert_mail(connection, NewMail(MailKind.PASSWORD_CHANGED, EMAIL, "ru", user_id), clock.now())
    clock.advance(10)

    await delivery.deliver()

    assert [mail["To"] for mail in smtp.received] == [EMAIL]
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.mailed_tokens") == 0


async def test_a_mail_that_was_taken_back_while_it_was_written_has_no_link(
    auth_pool: Pool, auth_dsn: str, clock: FakeClock
) -> None:
    """Its token is of no use: whoever took it back did not see it."""
    user_id = await plant_user(auth_dsn)
    async with auth_pool.acquire() as connection:
        await insert_mail(connection, NewMail(MailKind.EMAIL_CHANGE, "thief@example.ru", "ru", user_id), clock.now())
        (mail,) = await MailStore(auth_pool).claim(clock.now(), limit=10, for_s=300)
        await end_tokens_of_user(connection, user_id)

    await MailedTokenStore(auth_pool).put(b"x" * 32, TokenPurpose.EMAIL_CHANGE, mail, user_id, clock.now())

    assert await auth_pool.fetchval("SELECT count(*) FROM auth.mailed_tokens") == 0


async def test_a_mail_that_will_never_be_taken_is_dropped(mailing: People, smtp: SmtpServer, auth_pool: Pool) -> None:
    """An address that does not exist is not written to again, and does not stop the others."""
    smtp.answers = ["550 no such user"]
    await mailing.call(REGISTER)
    await until_rows(auth_pool, "SELECT count(*) FROM auth.mails", 0)

    await mailing.call(pb.RegisterRequest(email="vera@example.ru", password=PASSWORD))

    await until(lambda: bool(smtp.received))
    assert [mail["To"] for mail in smtp.received] == ["vera@example.ru"]


@pytest.fixture
async def orphan(auth_pool: Pool, clock: FakeClock) -> None:
    """A mail that was committed and claimed by a process that then died."""
    now = clock.now()
    async with auth_pool.acquire() as connection:
        await insert_mail(connection, NewMail(MailKind.TOTP_ENABLED, EMAIL, "en"), now)
        claimed = await MailStore(auth_pool).claim(now, limit=10, for_s=300)
    assert len(claimed) == 1


async def test_a_mail_whose_sender_died_is_sent_by_another(orphan: None, mailing: People, smtp: SmtpServer) -> None:
    """After five minutes somebody else takes it up."""
    started = mailing.clock.now()
    async with asyncio.timeout(60):
        while not smtp.received:
            mailing.clock.advance(5)
            await asyncio.sleep(0.01)

    assert mailing.clock.now() - started >= timedelta(minutes=5)
    assert smtp.received[0]["Subject"] == "Second factor switched on"


async def test_two_senders_never_claim_one_mail(auth_pool: Pool) -> None:
    """Replicas share the work."""
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    async with auth_pool.acquire() as connection:
        for n in range(20):
            await insert_mail(connection, NewMail(MailKind.RESET, f"user{n}@example.ru", "ru"), now)
    store = MailStore(auth_pool)

    claims = await asyncio.gather(*(store.claim(now, limit=10, for_s=60) for _ in range(4)))

    ids = [mail.id for claim in claims for mail in claim]
    assert sorted(ids) == sorted(set(ids))
    assert len(ids) == 20


async def test_what_is_over_is_forgotten(auth_pool: Pool) -> None:
    """A mail that could not be sent in its time is counted and deleted."""
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    async with auth_pool.acquire() as connection:
        await insert_mail(connection, NewMail(MailKind.RESET, EMAIL, "ru"), now)
    store = MailStore(auth_pool)

    early, late = await store.forget_over(now), await store.forget_over(now + timedelta(minutes=30))

    assert (early, late) == (0, 1)


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("template", list(Template))
def test_every_template_is_written_in_both_languages(template: Template, language: str) -> None:
    """No field stays open, and the links are the gateway's."""
    written = TemplateWriter("https://llm.example.ru/").write(template, language, EMAIL, "T0KEN")

    assert "{" not in written.subject + written.text
    assert "llm.example.ru//" not in written.text
    assert ("T0KEN" in written.text) == ("{link}" in TEXTS[template, language][1])
    assert "T0KEN" not in repr(written)


@pytest.mark.parametrize(("attempts", "pause_s"), [(1, 10), (2, 20), (7, 640), (8, 900), (99, 900)])
def test_pauses_between_attempts_double(attempts: int, pause_s: int) -> None:
    """Up to a quarter of an hour."""
    assert retry_after(attempts) == timedelta(seconds=pause_s)
