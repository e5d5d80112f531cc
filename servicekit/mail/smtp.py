"""Sends mails through an SMTP server (RFC 5321)."""

from __future__ import annotations

import email.policy
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Final

import aiosmtplib

from servicekit.clock import Clock
from servicekit.mail.settings import SmtpSettings

TIMEOUT_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class WrittenMail:
    """A mail to be sent; `headers` are added to those that every mail has."""

    email: str
    subject: str
    text: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class MailRefused(Exception):
    """The server will never take this mail."""


class MailNotSent(Exception):
    """The server did not take this mail now."""


class SmtpSender:
    """Sends mails through one server."""

    def __init__(self, settings: SmtpSettings, *, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    async def send(self, written: WrittenMail) -> None:
        """Send the mail; return when the server has accepted it.

        Raises:
            MailRefused: permanently; trying again is pointless.
            MailNotSent: temporarily; try again.
        """
        given = self._settings
        try:
            await aiosmtplib.send(
                self._message(written),
                hostname=given.host,
                port=given.port,
                username=given.user or None,
                password=given.password.get_secret_value() or None,
                use_tls=given.tls == "implicit",
                start_tls=given.tls == "starttls",
                timeout=TIMEOUT_S,
            )
        except aiosmtplib.SMTPRecipientsRefused as exc:
            permanent = all(500 <= refused.code < 600 for refused in exc.recipients)
            raise (MailRefused if permanent else MailNotSent)(type(exc).__name__) from exc
        except aiosmtplib.SMTPResponseException as exc:
            raise (MailRefused if exc.code in (550, 553, 554) else MailNotSent)(f"code {exc.code}") from exc
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as exc:
            raise MailNotSent(type(exc).__name__) from exc
        except ValueError as exc:
            # An address that cannot be written into a header, or that this server cannot take.
            raise MailRefused(type(exc).__name__) from exc

    def _message(self, written: WrittenMail) -> EmailMessage:
        sender = self._settings.sender
        message = EmailMessage(policy=email.policy.SMTP)
        message["From"] = sender
        message["To"] = written.email
        message["Subject"] = written.subject
        message["Date"] = format_datetime(self._clock.now())
        message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2].rstrip(">") or "localhost")
        message["Auto-Submitted"] = "auto-generated"
        for name, value in written.headers.items():
            message[name] = value
        message.set_content(written.text, cte="base64")
        return message
