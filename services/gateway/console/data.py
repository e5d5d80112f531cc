"""/console: what is known of whoever is logged in, and leaving; mails of a local suite."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

from starlette.types import Send

from servicekit.errors import InvalidRequest, PermissionDenied, QuotaExceeded, Unauthenticated
from services.gateway.clients.notifications.client import NotificationClient
from services.gateway.console.forms.proof import refused_proof
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.params import typed
from services.gateway.edge.respond import JSON, begun
from services.gateway.management.personal_export import ExportedData, PersonalExport
from services.gateway.notifications.account_sync import AccountSync
from services.gateway.pages.answers import Download, FromApi, PageAnswer, TemplatePage, message_page
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, member_pages, page_endpoint

MOST_MAILS: Final = 50
NEVER: Final = datetime.min.replace(tzinfo=UTC)
FILE: Final = (b"content-disposition", b'attachment; filename="razvilka-account.json"')


@dataclass(frozen=True, slots=True)
class DataPages:
    """Export, deletion, mails."""

    shared: PageDependencies
    data: PersonalExport
    notifications: NotificationClient
    account_sync: AccountSync

    def all(self, *, outbox: bool) -> list[Endpoint]:
        """Return the pages; the outbox only outside production."""
        pages = (
            ("/console/data", self.show_data, None),
            ("/console/export", None, self.export),
            ("/console/delete", None, self.delete),
        )
        mails = [page_endpoint("/dev/outbox", self.shared, self.show_outbox)] if outbox else []
        return [*member_pages(self.shared, pages), *mails]

    async def show_data(self, page: PageContext) -> PageAnswer:
        """Show export and deletion."""
        return TemplatePage("data.html", {"profile": page.known_user.profile, "error": ""})

    async def export(self, page: PageContext) -> PageAnswer:
        """Return everything that is known of the user; what is long goes out while it is read."""
        document = await self.data.begin(page.known_user.profile.user_id, page.call)
        if document.rest is None:
            return Download(JSON[1], document.beginning, [FILE])
        return FromApi(partial(_send, document))

    async def delete(self, page: PageContext) -> PageAnswer:
        """End the account."""
        profile = page.known_user.profile
        try:
            password = typed(page.form, "password")
            await self.shared.accounts.delete_account(
                profile.user_id, password, page.origin, page.call, session=page.session
            )
        except (InvalidRequest, Unauthenticated, QuotaExceeded, PermissionDenied) as exc:
            refused = refused_proof(exc)
            return TemplatePage("data.html", {"profile": profile, "error": refused.text}, refused.status)
        await self.account_sync.sync_user(profile.user_id)
        page.log_out()
        return message_page("data.deleted")

    async def show_outbox(self, page: PageContext) -> PageAnswer:
        """Show the mails that were not sent because no server is set."""
        of_accounts = await self.shared.accounts.list_outbox(page.call)
        of_notifications = await self.notifications.list_mails(MOST_MAILS, page.call)
        mails = sorted((*of_accounts, *of_notifications), key=lambda mail: mail.sent_at or NEVER, reverse=True)
        return TemplatePage("outbox.html", {"mails": mails})


async def _send(document: ExportedData, send: Send) -> None:
    await send(begun(200, [JSON, FILE]))
    async with aclosing(document.pieces()) as pieces:
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
