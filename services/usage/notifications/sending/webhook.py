"""Sends signed webhooks to public addresses only; the checked address is the one connected to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import DefaultResolver
from yarl import URL

from servicekit.clock import Clock
from servicekit.outbound.public_addresses import AddressPolicy, ForbiddenAddressError, PublicResolver
from services.usage.notifications.domain.channel import Channel, usable
from services.usage.notifications.domain.delivery import Outcome, Problem
from services.usage.notifications.domain.event import Event
from services.usage.notifications.domain.kinds import Disabled
from services.usage.notifications.domain.person import Person
from services.usage.notifications.domain.signature import signed_headers
from services.usage.notifications.domain.wording import worded
from services.usage.notifications.settings import WebhookSettings

GONE: Final = 410
# Statuses with which a receiver may say when to come again.
ASKS_TO_WAIT: Final = (429, 503)
KILOBYTE: Final = 1024


class WebhookSender:
    """Sends webhooks. `session` connects only to allowed addresses."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        settings: WebhookSettings,
        tls: ssl.SSLContext | bool,
        *,
        clock: Clock,
    ) -> None:
        self._session = session
        self._settings = settings
        self._policy = AddressPolicy(settings.networks)
        self._tls = tls
        self._clock = clock

    async def send(self, event: Event, channel: Channel, person: Person) -> Outcome:
        """Send the event once."""
        now = self._clock.now()
        body = body_of(event, person)
        headers = {
            "Content-Type": "application/json",
            **signed_headers(event.public_id, now, body, usable(channel.secrets, now)),
        }
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await self._post(URL(channel.target), body, headers, now)
        except TimeoutError:
            return Outcome(Problem.TIMEOUT)
        except ForbiddenAddressError:
            return Outcome(Problem.FORBIDDEN_ADDRESS)
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            forbidden = isinstance(exc.__cause__, ForbiddenAddressError)
            return Outcome(Problem.FORBIDDEN_ADDRESS if forbidden else Problem.CONNECTION)

    async def _post(self, url: URL, body: bytes, headers: dict[str, str], now: datetime) -> Outcome:
        self._check(url)
        async with self._session.post(
            url, data=body, headers=headers, ssl=self._tls, allow_redirects=False
        ) as response:
            await self._throw_away(response)
            return outcome_of(response.status, response.headers.get("Retry-After", ""), now)

    def _check(self, url: URL) -> None:
        """Check what no resolver sees: the scheme, and an address given in digits."""
        host, port = url.host or "", url.port or 0
        is_literal = ":" in host or host.replace(".", "").isdigit()
        if url.scheme != "https" and not self._settings.plaintext:
            raise ForbiddenAddressError(host)
        if is_literal and not self._policy.allows(host, port):
            raise ForbiddenAddressError(host)

    async def _throw_away(self, response: aiohttp.ClientResponse) -> None:
        """Read an answer, so that its sender is not cut off, but not without end."""
        left = self._settings.answer_kb * KILOBYTE
        while left > 0 and (piece := await response.content.readany()):
            left -= len(piece)


def body_of(event: Event, person: Person) -> bytes:
    """Return the body: the type, the moment, the facts, and the text that people would read."""
    wording = worded(event, person)
    content: dict[str, Any] = {
        "type": event.kind.value,
        "timestamp": event.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": event.facts,
        "message": {"language": person.language, "subject": wording.subject, "text": wording.text},
    }
    return msgspec.json.encode(content)


def outcome_of(status: int, retry_after: str, now: datetime) -> Outcome:
    """Return what an answer means."""
    if 200 <= status < 300:
        return Outcome(status=status)
    if status == GONE:
        return Outcome(Problem.STATUS, status, ends=Disabled.GONE)
    if 300 <= status < 400:
        return Outcome(Problem.REDIRECT, status)
    return Outcome(Problem.STATUS, status, seconds_of(retry_after, now) if status in ASKS_TO_WAIT else None)


def seconds_of(retry_after: str, now: datetime) -> float | None:
    """Return the seconds of a Retry-After header, a number or a date (RFC 9110); None: it says nothing."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max((moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds(), 0.0)


@asynccontextmanager
async def open_webhooks(
    settings: WebhookSettings, *, at_once: int, clock: Clock, resolver: AbstractResolver | None
) -> AsyncIterator[WebhookSender]:
    """Yield the way; `resolver` looks names up instead of the system's."""
    public = PublicResolver(resolver or DefaultResolver(), AddressPolicy(settings.networks))
    # Names are looked up anew each time, and no connection is kept: what was allowed once may not be any more.
    connector = aiohttp.TCPConnector(resolver=public, use_dns_cache=False, limit=at_once, force_close=True)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "razvilka-webhooks", "Accept-Encoding": "identity"},
        auto_decompress=False,
        trust_env=False,
    ) as session:
        yield WebhookSender(session, settings, _tls(settings), clock=clock)


def _tls(settings: WebhookSettings) -> ssl.SSLContext | bool:
    if settings.ca_bundle is None:
        return True
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=str(settings.ca_bundle))
    return context
