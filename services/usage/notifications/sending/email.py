"""Sends mails to an account's confirmed address, each with an unsubscribe link (RFC 8058)."""

from __future__ import annotations

from typing import Final, Protocol
from uuid import UUID

from servicekit.clock import Clock
from servicekit.mail.smtp import MailNotSent, MailRefused, SmtpSender, WrittenMail
from services.usage.notifications.domain.channel import Channel
from services.usage.notifications.domain.delivery import Outcome, Problem
from services.usage.notifications.domain.event import Event
from services.usage.notifications.domain.person import Person
from services.usage.notifications.domain.wording import worded
from services.usage.notifications.sending.unsubscribing import Unsubscribing
from services.usage.notifications.store.people import Outbox

FOOTER: Final = {
    "ru": "\n\n-- \nВы получаете это письмо, потому что включили уведомления Развилки. Отключить: {link}\n",
    "en": "\n\n-- \nYou get this mail because you switched on notifications of Razvilka. Switch them off: {link}\n",
}


class Post(Protocol):
    """The interface that sends or stores a mail."""

    async def send(self, id: UUID, user_id: str, written: WrittenMail) -> None:
        """Send a mail.

        Raises:
            MailRefused: it will never be taken.
            MailNotSent: try again.
        """
        ...


class SmtpPost:
    """Sends mails through the mail server."""

    def __init__(self, sender: SmtpSender) -> None:
        self._sender = sender

    async def send(self, id: UUID, user_id: str, written: WrittenMail) -> None:
        """Send a mail."""
        await self._sender.send(written)


class LocalPost:
    """Stores mails in the local outbox."""

    def __init__(self, outbox: Outbox, *, clock: Clock) -> None:
        self._outbox = outbox
        self._clock = clock

    async def send(self, id: UUID, user_id: str, written: WrittenMail) -> None:
        """Keep a mail."""
        await self._outbox.keep(id, user_id, written, self._clock.now())


class EmailSender:
    """Sends mails."""

    def __init__(self, post: Post, unsubscribing: Unsubscribing) -> None:
        self._post = post
        self._unsubscribing = unsubscribing

    async def send(self, event: Event, channel: Channel, person: Person) -> Outcome:
        """Send the event once."""
        if not person.email:
            return Outcome(Problem.NO_ADDRESS)
        try:
            await self._post.send(event.id, person.user_id, self._written(event, channel, person))
        except MailRefused:
            return Outcome(Problem.REFUSED)
        except MailNotSent:
            return Outcome(Problem.CONNECTION)
        return Outcome()

    def _written(self, event: Event, channel: Channel, person: Person) -> WrittenMail:
        wording = worded(event, person)
        link = self._unsubscribing.link(channel.id)
        headers = {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
        text = wording.text + FOOTER[person.language].format(link=link)
        return WrittenMail(person.email, wording.subject, text, headers)
