"""Sends Telegram messages through the Bot API (sendMessage, HTML)."""

from __future__ import annotations

import html
from typing import Any, Final

import aiohttp
import msgspec

from services.usage.notifications.domain.channel import Channel
from services.usage.notifications.domain.delivery import Outcome, Problem
from services.usage.notifications.domain.event import Event
from services.usage.notifications.domain.kinds import Disabled
from services.usage.notifications.domain.person import Person
from services.usage.notifications.domain.wording import worded
from services.usage.notifications.settings import TelegramSettings

OK: Final = 200
FLOOD: Final = 429
# The chat does not exist, the bot was blocked or thrown out: nothing will ever arrive there.
ENDED: Final = (400, 403)
LONGEST_ANSWER: Final = 64 * 1024
CODE_TEXTS: Final = {
    "ru": "Код для уведомлений Развилки: <code>{code}</code>. Если вы его не просили, ничего не делайте.",
    "en": "Code for notifications of Razvilka: <code>{code}</code>. If you did not ask for it, do nothing.",
}


class _Parameters(msgspec.Struct, frozen=True):
    retry_after: float | None = None


class _Answer(msgspec.Struct, frozen=True):
    parameters: _Parameters = _Parameters()


class TelegramSender:
    """Sends messages as the operator's bot."""

    def __init__(self, session: aiohttp.ClientSession, settings: TelegramSettings) -> None:
        self._session = session
        self._settings = settings

    async def send(self, event: Event, channel: Channel, person: Person) -> Outcome:
        """Send the event once."""
        return await self._post(message_of(event, channel, person))

    async def send_code(self, chat: str, code: str, language: str) -> Outcome:
        """Send the code that confirms a chat."""
        return await self._post(_message(chat, CODE_TEXTS[language].format(code=code)))

    async def _post(self, message: dict[str, Any]) -> Outcome:
        token = self._settings.token.get_secret_value()
        if not token:
            return Outcome(Problem.NOT_CONFIGURED)
        # The token is part of the address: no error that names it leaves this function.
        url = f"{self._settings.base_url.rstrip('/')}/bot{token}/sendMessage"
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout_s)
        try:
            async with self._session.post(url, json=message, timeout=timeout, allow_redirects=False) as response:
                return outcome_of(response.status, await _beginning(response.content))
        except TimeoutError:
            return Outcome(Problem.TIMEOUT)
        except (aiohttp.ClientError, OSError, ValueError):
            return Outcome(Problem.CONNECTION)


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    """Return an answer, or enough of it; it may come in any number of pieces."""
    body = bytearray()
    while len(body) < LONGEST_ANSWER and (piece := await content.readany()):
        body += piece
    return bytes(body)


def message_of(event: Event, channel: Channel, person: Person) -> dict[str, Any]:
    """Return the request: the subject in bold, the text; nothing in them is markup."""
    wording = worded(event, person)
    text = f"<b>{html.escape(wording.subject)}</b>\n{html.escape(wording.text)}"
    return _message(channel.target, text)


def _message(chat: str, text: str) -> dict[str, Any]:
    return {
        "chat_id": chat,
        "text": text,
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
    }


def outcome_of(status: int, body: bytes) -> Outcome:
    """Return what an answer means."""
    if status == OK:
        return Outcome(status=status)
    if status in ENDED:
        return Outcome(Problem.REFUSED, status, ends=Disabled.GONE)
    return Outcome(Problem.STATUS, status, _retry_after(body) if status == FLOOD else None)


def _retry_after(body: bytes) -> float | None:
    try:
        return msgspec.json.decode(body, type=_Answer).parameters.retry_after
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
