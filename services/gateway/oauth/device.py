"""/device: a person at a browser lets in a program that shows a code (RFC 8628 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from servicekit.errors import NotFound, QuotaExceeded
from services.gateway.clients.catalog import CatalogWatch
from services.gateway.clients.oauth import OAuthClient
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.problems import wait_headers
from services.gateway.edge.reading.params import first
from services.gateway.oauth.authorize import allowance_of, consent_values
from services.gateway.pages.answers import PageAnswer, TemplatePage
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, member_pages

MAX_CODE: Final = 40


@dataclass(frozen=True, slots=True)
class DevicePages:
    """Enter a code, see who asks, decide."""

    shared: PageDependencies
    oauth: OAuthClient
    catalog: CatalogWatch

    def all(self) -> list[Endpoint]:
        """Return the pages."""
        return member_pages(self.shared, [("/device", self.show, self.find), ("/device/decide", None, self.decide)])

    async def show(self, page: PageContext) -> PageAnswer:
        """Ask for the code. One in the address is filled in, never taken: the user must compare it (RFC 8628 5.4)."""
        return TemplatePage("device.html", {"user_code": first(page.query, "user_code")[:MAX_CODE], "error": ""})

    async def find(self, page: PageContext) -> PageAnswer:
        """Show what the code asks for."""
        user_code = first(page.form, "user_code")[:MAX_CODE]
        return await self._confirm(page, user_code, error="")

    async def _confirm(self, page: PageContext, user_code: str, *, error: str) -> TemplatePage:
        try:
            pending = await self.oauth.find_device(user_code, page.session, page.origin, page.call)
        except NotFound:
            return TemplatePage("device.html", {"user_code": user_code, "error": "device.unknown"}, 400)
        except QuotaExceeded as exc:
            values = {"user_code": "", "error": "device.too_many"}
            return TemplatePage("device.html", values, 429, headers=wait_headers(exc))
        asked = consent_values(pending, self.catalog, page.form if error else None)
        values = {**asked, "user_code": user_code, "error": error}
        values["email"] = page.known_user.profile.email
        return TemplatePage("device_confirm.html", values, 400 if error else 200)

    async def decide(self, page: PageContext) -> PageAnswer:
        """Take the decision."""
        user_code = first(page.form, "user_code")[:MAX_CODE]
        allowance = allowance_of(page)
        if allowance is None:
            return await self._confirm(page, user_code, error="consent.bad_budget")
        try:
            await self.oauth.decide_device(user_code, page.session, allowance, page.origin, page.call)
        except NotFound:
            return TemplatePage("device.html", {"user_code": "", "error": "device.unknown"}, 400)
        return TemplatePage("device_done.html", {"approved": allowance.approved})
