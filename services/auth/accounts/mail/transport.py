"""Where mails go: to an SMTP server, or, when none is set, into the local outbox."""

from __future__ import annotations

import email.policy
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Final, Literal, Protocol

import aiosmtplib

from servicekit.clock import Clock
from services.auth.accounts.domain.mail import WrittenMail
from services.auth.accounts.store.mails import MailStore

TIMEOUT_S: Final = 20.0


class MailRefused(Exception):
    """The server will never take this mail."""


class MailNotSent(Exception):
    """The server did not take this mail now."""


class MailTransport(Protocol):
    """Sends a mail."""

    async def send(self, mail_id: int, written: WrittenMail) -> None:
        """Send the mail of that number; return when somebody else is responsible for it.

        Raises:
            MailRefused: never.
            MailNotSent: try again.
        """
        ...


class LocalOutbox:
    """Keeps mails where people without a mail server can read them."""

    def __init__(self, store: MailStore, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def send(self, mail_id: int, written: WrittenMail) -> None:
        """Keep the mail until its time is over."""
        await self._store.keep(mail_id, written, self._clock.now())


class SmtpTransport:
    """Hands mails to an SMTP server."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        sender: str,
        user: str,
        password: str,
        tls: Literal["none", "starttls", "implicit"],
        store: MailStore,
        clock: Clock,
    ) -> None:
        self._host = host
        self._port = port
        self._sender = sender
        self._user = user
        self._password = password
        self._tls = tls
        self._store = store
        self._clock = clock

    async def send(self, mail_id: int, written: WrittenMail) -> None:
        """Send the mail and forget it."""
        try:
            await aiosmtplib.send(
                self._message(written),
                hostname=self._host,
                port=self._port,
                username=self._user or None,
                password=self._password or None,
                use_tls=self._tls == "implicit",
                start_tls=self._tls == "starttls",
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
        await self._store.drop(mail_id)

    def _message(self, written: WrittenMail) -> EmailMessage:
        message = EmailMessage(policy=email.policy.SMTP)
        message["From"] = self._sender
        message["To"] = written.email
        message["Subject"] = written.subject
        message["Date"] = format_datetime(self._clock.now())
        message["Message-ID"] = make_msgid(domain=self._sender.rpartition("@")[2].rstrip(">") or "localhost")
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(written.text, cte="base64")
        return message
