"""Sends mails after the answer has gone out, so that its timing does not tell whether an account exists.

Whether an address has an account is looked up here. A mail that a dying process was sending is sent again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from servicekit.clock import Clock
from servicekit.lifecycle import Background
from servicekit.mail.smtp import MailNotSent, MailRefused
from services.auth.accounts import metrics
from services.auth.accounts.domain.mail import (
    Mail,
    MailKind,
    NewMail,
    NotSent,
    Template,
    TokenPurpose,
    new_token,
    retry_after,
    token_hash,
)
from services.auth.accounts.mail.templates import TemplateWriter
from services.auth.accounts.mail.transport import MailTransport
from services.auth.accounts.store.login_attempts import LoginAttemptStore
from services.auth.accounts.store.mailed_tokens import MailedTokenStore
from services.auth.accounts.store.mails import MailStore
from services.auth.shared.store.accounts import AccountStore

log = structlog.get_logger()

BATCH: Final = 10
# Longer than a batch of slow mails takes: nobody else sends them meanwhile.
CLAIM_S: Final = 300.0
PURPOSES: Final[dict[Template, TokenPurpose]] = {
    Template.REGISTER: TokenPurpose.REGISTER,
    Template.RESET: TokenPurpose.RESET,
    Template.CLAIM: TokenPurpose.CLAIM,
    Template.EMAIL_CHANGE: TokenPurpose.EMAIL_CHANGE,
}


class MailDelivery:
    """Delivers mails."""

    def __init__(
        self,
        mails: MailStore,
        tokens: MailedTokenStore,
        accounts: AccountStore,
        writer: TemplateWriter,
        transport: MailTransport,
        *,
        clock: Clock,
        background: Background,
    ) -> None:
        self._mails = mails
        self._tokens = tokens
        self._accounts = accounts
        self._writer = writer
        self._transport = transport
        self._clock = clock
        self._background = background

    def start(self) -> None:
        """Have a mail that was just committed sent at once."""
        self._background.start(self.deliver(), name="deliver_mail")

    async def deliver(self) -> None:
        """Send everything that is due.

        Raises:
            Unavailable: PostgreSQL is gone.
        """
        while due := await self._mails.claim(self._clock.now(), limit=BATCH, for_s=CLAIM_S):
            for mail in due:
                await self._deliver_one(mail)

    async def _deliver_one(self, mail: Mail) -> None:
        kind = mail.content.kind.value
        template, user_id = await self._choose_template(mail)
        token = None if template is None else await self._new_token(mail, template, user_id)
        if template is None or token is None:
            await self._mails.give_up(mail.id, NotSent.UNNEEDED)
            metrics.MAILS.labels(kind, "unneeded").inc()
            return
        written = self._writer.write(template, mail.content.language, mail.content.email, token)
        try:
            await self._transport.send(mail.id, written)
        except MailRefused as exc:
            await self._mails.give_up(mail.id, NotSent.REFUSED)
            metrics.MAILS.labels(kind, "refused").inc()
            log.warning("auth.mail_refused", mail_id=mail.id, kind=kind, cause=str(exc))
        except MailNotSent as exc:
            await self._mails.postpone(mail.id, self._clock.now() + retry_after(mail.attempts))
            metrics.MAILS.labels(kind, "failed").inc()
            log.warning("auth.mail_postponed", mail_id=mail.id, kind=kind, attempts=mail.attempts, cause=str(exc))
        else:
            metrics.MAILS.labels(kind, "sent").inc()

    async def _choose_template(self, mail: Mail) -> tuple[Template | None, str | None]:
        content = mail.content
        if content.kind is MailKind.CLAIM:
            return await self._choose_claim(content)
        if content.user_id and await self._accounts.find_usable(content.user_id) is None:
            # Shut or deleted since: its link would lead nowhere, and nobody may act on its notice.
            return None, None
        if content.kind not in (MailKind.REGISTER, MailKind.RESET, MailKind.EMAIL_CHANGE):
            return Template(content.kind), content.user_id
        holder = await self._accounts.find_by_email(content.email)
        if content.kind is MailKind.RESET:
            return (None, None) if holder is None or not holder.is_usable else (Template.RESET, holder.id)
        if holder is not None and not holder.is_usable:
            return None, None
        if holder is not None and holder.id != content.user_id:
            return Template.ALREADY_REGISTERED, None
        return Template(content.kind), content.user_id

    async def _choose_claim(self, content: NewMail) -> tuple[Template | None, str | None]:
        account = await self._accounts.find(content.user_id or "")
        is_open = account is not None and account.is_usable and account.password_hash is None
        if account is None or not is_open or account.email != content.email:
            return None, None
        return Template.CLAIM, account.id

    async def _new_token(self, mail: Mail, template: Template, user_id: str | None) -> str | None:
        """Return the token of the mail's link, empty where it has none; None: nobody wants the link any more."""
        purpose = PURPOSES.get(template)
        if purpose is None:
            return ""
        token = new_token()
        is_wanted = await self._tokens.put(token_hash(token), purpose, mail, user_id, self._clock.now())
        return token if is_wanted else None


class Housekeeping:
    """Deletes expired mails, tokens and login attempts."""

    def __init__(
        self,
        mails: MailStore,
        tokens: MailedTokenStore,
        attempts: LoginAttemptStore,
        *,
        keep_attempts: timedelta,
        clock: Clock,
    ) -> None:
        self._mails = mails
        self._tokens = tokens
        self._attempts = attempts
        self._keep_attempts = keep_attempts
        self._clock = clock

    async def run(self) -> None:
        """Delete it."""
        now = self._clock.now()
        if unsent := await self._mails.forget_over(now):
            metrics.MAILS.labels("any", "given_up").inc(unsent)
            log.error("auth.mails_given_up", count=unsent)
        await self._tokens.forget_over(now)
        await self._attempts.forget_before(now - self._keep_attempts)
