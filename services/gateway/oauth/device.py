"""/device: a person at a browser lets in a program that shows a code (RFC 8628 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from servicekit.errors import NotFound, QuotaExceeded
from services.gateway.clients.catalog import CatalogWatch
from services.gateway.clients.oauth import OAuthClient
from services.gateway.edge.params import first
from services.gateway.edge.problems import headers_of
from services.gateway.oauth.authorize import allowance_of, consent_values
from services.gateway.pages.page_context import PageAnswer, Shown, Visit
from services.gateway.pages.page_endpoint import Page, Site

MAX_CODE: Final = 40


@dataclass(frozen=True, slots=True)
class DevicePages:
    """Enter a code, see who asks, decide."""

    site: Site
    oauth: OAuthClient
    catalog: CatalogWatch

    def all(self) -> list[Page]:
        """Return the pages."""
        return [
            Page("/device", self.site, self.show, self.find, members=True),
            Page("/device/decide", self.site, None, self.decide, members=True),
        ]

    async def show(self, visit: Visit) -> PageAnswer:
        """Ask for the code. One in the address is filled in, never taken: the user must compare it (RFC 8628 5.4)."""
        return Shown("device.html", {"user_code": first(visit.query, "user_code")[:MAX_CODE], "error": ""})

    async def find(self, visit: Visit) -> PageAnswer:
        """Show what the code asks for."""
        user_code = first(visit.form, "user_code")[:MAX_CODE]
        return await self._confirm(visit, user_code, error="")

    async def _confirm(self, visit: Visit, user_code: str, *, error: str) -> Shown:
        try:
            pending = await self.oauth.find_device(user_code, visit.session, visit.origin, visit.call)
        except NotFound:
            return Shown("device.html", {"user_code": user_code, "error": "device.unknown"}, 400)
        except QuotaExceeded as exc:
            wait = [header for header in headers_of(exc) if header[0] == b"retry-after"]
            return Shown("device.html", {"user_code": "", "error": "device.too_many"}, 429, headers=wait)
        values = {**consent_values(pending, self.catalog), "user_code": user_code, "error": error}
        # A device gets what it asked for or nothing: its decision has no list of scopes.
        values["can_choose_scopes"] = False
        values["email"] = visit.known_person.profile.email
        return Shown("device_confirm.html", values, 400 if error else 200)

    async def decide(self, visit: Visit) -> PageAnswer:
        """Take the decision."""
        user_code = first(visit.form, "user_code")[:MAX_CODE]
        allowance = allowance_of(visit)
        if allowance is None:
            return await self._confirm(visit, user_code, error="consent.bad_budget")
        try:
            await self.oauth.decide_device(user_code, visit.session, allowance, visit.origin, visit.call)
        except NotFound:
            return Shown("device.html", {"user_code": "", "error": "device.unknown"}, 400)
        return Shown("device_done.html", {"approved": allowance.approved})
