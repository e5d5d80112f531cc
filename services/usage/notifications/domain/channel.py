"""Channels: the destinations of notifications, and the secrets that sign webhooks."""

from __future__ import annotations

import base64
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from servicekit.errors import invalid_parameter
from services.usage.notifications.domain.kinds import ChannelKind, Disabled

MAX_CHANNELS: Final = 20
MAX_NAME: Final = 100
LONGEST_URL: Final = 2048
SECRET_PREFIX: Final = "whsec_"
# Standard Webhooks: 24 to 64 bytes.
SECRET_BYTES: Final = 32
CODE_DIGITS: Final = 8
CODE_LIVES: Final = timedelta(hours=1)
# A chat's number (groups have negative ones), or the name of a public channel.
CHAT: Final = re.compile(r"-?[0-9]{1,20}|@[A-Za-z][A-Za-z0-9_]{4,31}")


@dataclass(frozen=True, slots=True)
class WebhookSecret:
    """A signing secret: `whsec_` and base64. It has an end once a newer one has replaced it."""

    value: str = field(repr=False)
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """A destination of notifications.

    Attributes:
        target: the URL or the chat; of a mail nothing: the account's address counts.
        secrets: of a webhook, the youngest first; of a chat that is not confirmed, the code.
        failing_since: when the first of the attempts was that have all failed since.
        maker: the credential that gave it its target, and with which it ends; "": a person.
        maker_since: when that was; None: when it was made.
    """

    id: UUID
    user_id: str
    kind: ChannelKind
    name: str
    target: str = field(repr=False)
    secrets: tuple[WebhookSecret, ...]
    disabled: Disabled
    failing_since: datetime | None
    created_at: datetime
    maker: str = ""
    maker_since: datetime | None = None

    @property
    def is_used(self) -> bool:
        """Whether anything is sent there."""
        return self.disabled is Disabled.NO


def new_secret() -> WebhookSecret:
    """Return a fresh secret."""
    return WebhookSecret(SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode())


def new_code(now: datetime) -> WebhookSecret:
    """Return what confirms a chat: whoever reads it there can tell it."""
    return WebhookSecret(f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}", now + CODE_LIVES)


def rotated(held: tuple[WebhookSecret, ...], until: datetime) -> tuple[WebhookSecret, ...]:
    """Return the secrets after a rotation: a fresh one, and the youngest so far until a moment."""
    return (new_secret(), WebhookSecret(held[0].value, until)) if held else (new_secret(),)


def usable(held: tuple[WebhookSecret, ...], now: datetime) -> tuple[WebhookSecret, ...]:
    """Return the secrets that sign now."""
    return tuple(secret for secret in held if secret.until is None or now < secret.until)


def checked_target(kind: ChannelKind, target: str, *, plaintext: bool) -> str:
    """Return where a channel of this kind goes.

    Raises:
        InvalidRequest: it can go nowhere; the field is named.
    """
    if kind is ChannelKind.WEBHOOK:
        return _checked_url(target, plaintext=plaintext)
    if kind is ChannelKind.TELEGRAM and not CHAT.fullmatch(target):
        raise invalid_parameter("chat_id", "Give the chat's number, or @name of a public channel.")
    if kind is ChannelKind.EMAIL and target:
        raise invalid_parameter("chat_id", "Mails go to the confirmed address of the account; give none.")
    return target


def checked_name(name: str) -> str:
    """Return the name.

    Raises:
        InvalidRequest: it is too long, or holds control characters.
    """
    if len(name) > MAX_NAME or not name.isprintable():
        raise invalid_parameter("name", f"The name must be {MAX_NAME} printable characters at most.")
    return name


def _checked_url(text: str, *, plaintext: bool) -> str:
    schemes = ("https", "http") if plaintext else ("https",)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as exc:
        raise invalid_parameter("url", "The address is no URL.") from exc
    if len(text) > LONGEST_URL or not text.isascii() or not text.isprintable() or " " in text:
        raise invalid_parameter("url", f"The address must be {LONGEST_URL} ASCII characters at most, without spaces.")
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        raise invalid_parameter("url", "The address must begin with https:// and name a host.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise invalid_parameter("url", "The address must hold no user, password or fragment.")
    return text
