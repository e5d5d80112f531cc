"""Sends mails to the SMTP server, or stores them in the local outbox if none is configured."""

from __future__ import annotations

from typing import Protocol

from servicekit.clock import Clock
from servicekit.mail.smtp import SmtpSender, WrittenMail
from services.auth.accounts.store.mails import MailStore


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
    """Stores mails where people without a mail server can read them."""

    def __init__(self, store: MailStore, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def send(self, mail_id: int, written: WrittenMail) -> None:
        """Keep the mail until its time is over."""
        await self._store.keep(mail_id, written, self._clock.now())


class SmtpTransport:
    """Sends mails through an SMTP server."""

    def __init__(self, sender: SmtpSender, store: MailStore) -> None:
        self._sender = sender
        self._store = store

    async def send(self, mail_id: int, written: WrittenMail) -> None:
        """Send the mail and forget it."""
        await self._sender.send(written)
        await self._store.drop(mail_id)
