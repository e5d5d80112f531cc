"""Mails and Telegram messages, to servers that speak SMTP and the bots' API."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from razvilka.usage.v1 import notifications_pb2 as pb

from servicekit.errors import Conflict, InvalidRequest, QuotaExceeded
from servicekit.testing import FakeClock
from servicekit.testing.smtp_server import SmtpServer
from servicekit.trust.sealing import Sealer
from services.usage.notifications.sending.unsubscribing import Unsubscribing
from services.usage.store.connection import EVERYBODY, NAME_USER
from services.usage.tests.notifications.conftest import USER, House, Pool, StartHouse
from services.usage.tests.notifications.receivers import Answer, Receiver, taken

REPORT = {"name": "Октябрь", "url": "https://llm.example.ru/r/1", "report_id": "r-1"}
TOKEN = "123:the-bots-token"


async def mailing(start_house: StartHouse, smtp: SmtpServer) -> tuple[House, str]:
    """Return notifications that mail by the server, and the channel that is told of reports."""
    mail = {"host": "127.0.0.1", "port": smtp.port, "tls": "none", "sender": "Развилка <no-reply@example.ru>"}
    house = await start_house(mail=mail, notifications={"public_url": "https://llm.example.ru/"})
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("report.ready", [channel_id])
    return house, channel_id


@pytest.mark.parametrize(
    ("language", "subject", "words"),
    [("ru", "Отчёт готов", "Отчёт «Октябрь» готов."), ("en", "Your report is ready", "The report “Октябрь” is ready.")],
)
async def test_a_mail_reaches_the_accounts_address_in_its_language(
    start_house: StartHouse, smtp: SmtpServer, language: str, subject: str, words: str
) -> None:
    """Plain text, and a link that ends them in one click by RFC 8058."""
    house, channel_id = await mailing(start_house, smtp)
    await house.meet(language=language)
    await house.events.raise_event(USER, "report.ready", "r-1", REPORT)

    await house.deliver()

    (mail,) = smtp.received
    link = mail["List-Unsubscribe"].strip("<>")
    assert (mail["To"], mail["Subject"]) == ("vera@example.ru", subject)
    assert mail.get_content_type() == "text/plain"
    assert words in mail.get_content()
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert link in mail.get_content()
    assert link.startswith("https://llm.example.ru/unsubscribe?token=")
    await house.rpc(pb.UnsubscribeRequest(token=parse_qs(urlsplit(link).query)["token"][0]))
    assert [(channel.id, channel.disabled) for channel in await house.channels()] == [(channel_id, "unsubscribed")]


@pytest.mark.parametrize("token", ["", "x", "AAAA" * 20, "ж", "a" * 10_000])
def test_a_link_that_is_none_of_ours_ends_nothing(token: str) -> None:
    """And says no more."""
    links = Unsubscribing(Sealer(["s" * 32], b"a test"), "https://llm.example.ru")

    with pytest.raises(InvalidRequest, match="not valid"):
        links.channel_of(token)


async def test_an_account_without_a_confirmed_address_gets_no_mail_until_it_has_one(
    start_house: StartHouse, smtp: SmtpServer, clock: FakeClock
) -> None:
    """The history says why; the mail waits, and the channel stays on."""
    house, channel_id = await mailing(start_house, smtp)
    await house.meet(email="")
    await house.events.raise_event(USER, "report.ready", "r-1", REPORT)
    await house.deliver()
    (waiting,) = await house.history(channel_id)
    await house.meet(email="new@example.ru")
    clock.advance(60)

    await house.deliver()

    assert [attempt.problem for attempt in waiting.attempts] == ["no_address"]
    assert [mail["To"] for mail in smtp.received] == ["new@example.ru"]


async def test_a_mail_server_that_fails_for_weeks_is_no_fault_of_a_channel(
    start_house: StartHouse, smtp: SmtpServer, clock: FakeClock
) -> None:
    """It stays on; a mail that will never be taken fails at once."""
    house, channel_id = await mailing(start_house, smtp)
    await house.meet()
    for day in range(8):
        smtp.answers = ["451 later"]
        await house.events.raise_event(USER, "report.ready", f"r-{day}", REPORT)
        await house.deliver()
        clock.advance(86_400)
    smtp.answers = ["550 no such user"]

    await house.deliver()

    assert [channel.disabled for channel in await house.channels()] == [""]
    assert "failed" in {delivery.state for delivery in await house.history(channel_id)}


async def test_what_an_account_had_is_forgotten_with_it(house: House) -> None:
    """Channels, rules, events and the address."""
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("report.ready", [channel_id])
    await house.meet()
    await house.events.raise_event(USER, "report.ready", "r-1", REPORT)

    await house.rpc(pb.PutPeopleRequest(gone_user_ids=[USER]))

    assert await house.channels() == []
    assert not (await house.rpc(pb.ListRulesRequest(user_id=USER))).rules
    assert not (await house.rpc(pb.ListWatchedRequest(limit=10))).user_ids


async def test_schedules_and_reports_are_forgotten_with_their_account(house: House, pool: Pool) -> None:
    """Also of somebody who has no channel: else a schedule went on for ever."""
    async with pool.acquire() as connection:
        await connection.execute(NAME_USER, EVERYBODY)
        for user_id in (USER, "user-2"):
            await connection.execute(
                "INSERT INTO usage.report_schedules (id, user_id, every, at, wishes, when_empty, next_at, created_at)"
                " VALUES (gen_random_uuid(), $1, 'day', '09:00', '{}', 'skip', now(), now())",
                user_id,
            )
            await connection.execute(
                "INSERT INTO usage.reports (id, user_id, ordered, status, link_key, created_at, expires_at,"
                " period_since, told) VALUES (gen_random_uuid(), $1, '{}', 'queued', '', now(), now(), now(), false)",
                user_id,
            )
    assert (await house.rpc(pb.ListWatchedRequest(limit=10))).user_ids == [USER, "user-2"]

    await house.rpc(pb.PutPeopleRequest(gone_user_ids=[USER]))

    assert (await house.rpc(pb.ListWatchedRequest(limit=10))).user_ids == ["user-2"]
    async with pool.acquire() as connection:
        await connection.execute(NAME_USER, EVERYBODY)
        left = await connection.fetch(
            "SELECT user_id FROM usage.report_schedules UNION SELECT user_id FROM usage.reports"
        )
    assert [row["user_id"] for row in left] == ["user-2"]


async def chatting(start_house: StartHouse, receiver: Receiver, answer: Answer = taken) -> tuple[House, str]:
    """Return notifications whose bot's API is the receiver, and the chat that is told of reports."""
    house = await start_house(telegram={"token": TOKEN, "base_url": f"http://127.0.0.1:{receiver.port}"})
    receiver.answer = telegram(200, ok=True)
    channel_id = await house.channel(pb.CHANNEL_KIND_TELEGRAM, "-100123")
    await house.rpc(pb.ConfirmChannelRequest(user_id=USER, id=channel_id, code=code_in(receiver)))
    receiver.got.clear()
    receiver.answer = answer
    await house.rule("report.ready", [channel_id])
    await house.meet()
    await house.events.raise_event(USER, "report.ready", "r-1", {**REPORT, "name": "<b>A & B</b>"})
    return house, channel_id


def code_in(receiver: Receiver) -> str:
    """Return the code that the chat was sent."""
    return str(json.loads(receiver.got[0].body)["text"]).partition("<code>")[2].partition("</code>")[0]


def telegram(status: int, **body: object) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status)

    return answer


async def test_a_telegram_message_holds_no_markup_of_others(start_house: StartHouse, receiver: Receiver) -> None:
    """What a report is called is text, whatever it looks like."""
    house, channel_id = await chatting(start_house, receiver, telegram(200, ok=True))

    await house.deliver()

    (got,) = receiver.got
    message = json.loads(got.body)
    assert got.path == f"/bot{TOKEN}/sendMessage"
    assert (message["chat_id"], message["parse_mode"]) == ("-100123", "HTML")
    assert message["text"].startswith("<b>Отчёт готов</b>\nОтчёт «&lt;b&gt;A &amp; B&lt;/b&gt;» готов.")
    assert [delivery.state for delivery in await house.history(channel_id)] == ["delivered"]


async def flood_in_pieces(request: web.Request) -> web.StreamResponse:
    """Answer with a wait of 400 s, the body behind its first half later."""
    response = web.StreamResponse(status=429)
    await response.prepare(request)
    await response.write(b'{"ok":false,"parameters":{"retry_')
    # The receiver has read it by then: nothing is lost if not.
    await asyncio.sleep(0.1)
    await response.write(b'after":400}}')
    return response


@pytest.mark.parametrize(
    "answer", [telegram(429, ok=False, parameters={"retry_after": 400}), flood_in_pieces], ids=["whole", "in pieces"]
)
async def test_a_flood_wait_of_telegram_is_honoured(
    start_house: StartHouse, receiver: Receiver, clock: FakeClock, answer: Answer
) -> None:
    """429 names the seconds in its body."""
    house, _ = await chatting(start_house, receiver, answer)
    await house.deliver()
    receiver.answer = telegram(200, ok=True)
    clock.advance(399)
    await house.deliver()
    early = len(receiver.got)
    clock.advance(1)

    await house.deliver()

    assert (early, len(receiver.got)) == (1, 2)


async def test_a_chat_that_blocked_the_bot_is_left_alone(start_house: StartHouse, receiver: Receiver) -> None:
    """The channel is switched off at once."""
    house, _ = await chatting(start_house, receiver, telegram(403, ok=False))

    await house.deliver()

    assert [channel.disabled for channel in await house.channels()] == ["gone"]


async def test_without_a_bot_there_are_no_chats(house: House) -> None:
    """The operator has set none up; nothing is left of the order."""
    with pytest.raises(InvalidRequest, match="no Telegram bot"):
        await house.channel(pb.CHANNEL_KIND_TELEGRAM, "42")

    assert await house.channels() == []


async def test_a_chat_gets_nothing_but_a_code_until_somebody_who_reads_it_tells_it(
    start_house: StartHouse, receiver: Receiver, clock: FakeClock
) -> None:
    """Nobody has others written to: codes are few, guesses are five, and no change goes around it."""
    receiver.answer = telegram(200, ok=True)
    house = await start_house(telegram={"token": TOKEN, "base_url": f"http://127.0.0.1:{receiver.port}"})
    channel_id = await house.channel(pb.CHANNEL_KIND_TELEGRAM, "42")
    await house.rule("report.ready", [channel_id])
    await house.events.raise_event(USER, "report.ready", "r-1", REPORT)
    await house.deliver()
    with pytest.raises(QuotaExceeded, match="just sent"):
        await house.channel(pb.CHANNEL_KIND_TELEGRAM, "43")
    with pytest.raises(Conflict):
        await house.rpc(pb.ChangeChannelRequest(user_id=USER, id=channel_id, enabled=True))
    code = code_in(receiver)
    for _ in range(5):
        with pytest.raises(InvalidRequest, match="not the code"):
            await house.rpc(pb.ConfirmChannelRequest(user_id=USER, id=channel_id, code="x" + code))
    with pytest.raises(QuotaExceeded, match="guesses"):
        await house.rpc(pb.ConfirmChannelRequest(user_id=USER, id=channel_id, code=code))

    assert len(receiver.got) == 1
    assert [channel.disabled for channel in await house.channels()] == ["unconfirmed"]


async def test_a_code_is_over_after_an_hour(start_house: StartHouse, receiver: Receiver, clock: FakeClock) -> None:
    """And a chat that the bot cannot write to is refused at once."""
    receiver.answer = telegram(200, ok=True)
    house = await start_house(telegram={"token": TOKEN, "base_url": f"http://127.0.0.1:{receiver.port}"})
    channel_id = await house.channel(pb.CHANNEL_KIND_TELEGRAM, "42")
    clock.advance(3600)
    receiver.answer = telegram(400, ok=False)

    with pytest.raises(InvalidRequest, match="not the code"):
        await house.rpc(pb.ConfirmChannelRequest(user_id=USER, id=channel_id, code=code_in(receiver)))
    with pytest.raises(InvalidRequest, match="write to it first"):
        await house.channel(pb.CHANNEL_KIND_TELEGRAM, "43")
