"""The ways in: register, verify an address, forget a password and set a new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from servicekit.errors import InvalidRequest, Unauthenticated
from services.gateway.edge.params import first
from services.gateway.pages.page_context import PageAnswer, Shown, Visit
from services.gateway.pages.page_endpoint import Page, Site

MAX_FIELD: Final = 1024


@dataclass(frozen=True, slots=True)
class EntryPages:
    """Pages for people who are not logged in. None tells whether an address is known."""

    site: Site

    def all(self) -> list[Page]:
        """Return the pages."""
        return [
            Page("/registration", self.site, self.show_registration, self.register),
            Page("/verify-email", self.site, self.show_verification, self.verify),
            Page("/forgot-password", self.site, self.show_forgotten, self.forget),
            Page("/reset-password", self.site, self.show_reset, self.reset),
        ]

    async def show_registration(self, visit: Visit) -> PageAnswer:
        """Show the form."""
        return Shown("registration.html", {"email": "", "name": "", "error": "", "fault": ""})

    async def register(self, visit: Visit) -> PageAnswer:
        """Begin an account."""
        email, name = _field(visit, "email"), _field(visit, "name")
        try:
            await self.site.accounts.register(
                email, _field(visit, "password"), name, visit.language, visit.origin, visit.call
            )
        except InvalidRequest as exc:
            values = {"email": email, "name": name, "error": fault_of(exc), "fault": exc.param or ""}
            return Shown("registration.html", values, 400)
        return Shown(
            "message.html", {"title": "registration.sent_title", "text": "registration.sent", "link": "/login"}
        )

    async def show_verification(self, visit: Visit) -> PageAnswer:
        """Ask to confirm: mail programs open links by themselves, and a GET must change nothing."""
        return Shown("verify_email.html", {"token": _query(visit, "token")})

    async def verify(self, visit: Visit) -> PageAnswer:
        """Confirm the address."""
        try:
            await self.site.accounts.verify_email(_field(visit, "token"), visit.origin, visit.call)
        except Unauthenticated:
            return _stale_link()
        return Shown("message.html", {"title": "verify.done_title", "text": "verify.done", "link": "/login"})

    async def show_forgotten(self, visit: Visit) -> PageAnswer:
        """Show the form."""
        return Shown("forgot_password.html", {"error": ""})

    async def forget(self, visit: Visit) -> PageAnswer:
        """Mail a link."""
        try:
            await self.site.accounts.request_password_reset(_field(visit, "email"), visit.origin, visit.call)
        except InvalidRequest:
            return Shown("forgot_password.html", {"error": "fault.email"}, 400)
        return Shown("message.html", {"title": "forgot.sent_title", "text": "forgot.sent", "link": "/login"})

    async def show_reset(self, visit: Visit) -> PageAnswer:
        """Show the form."""
        return Shown("reset_password.html", {"token": _query(visit, "token"), "error": ""})

    async def reset(self, visit: Visit) -> PageAnswer:
        """Set the password."""
        token = _field(visit, "token")
        try:
            await self.site.accounts.reset_password(token, _field(visit, "password"), visit.origin, visit.call)
        except Unauthenticated:
            return _stale_link()
        except InvalidRequest as exc:
            return Shown("reset_password.html", {"token": token, "error": fault_of(exc)}, 400)
        visit.log_out()
        return Shown("message.html", {"title": "reset.done_title", "text": "reset.done", "link": "/login"})


def fault_of(error: InvalidRequest) -> str:
    """Return the name of the text that says which field will not do."""
    known = {
        "email": "fault.email",
        "name": "fault.name",
        "password": "fault.password",
        "new_password": "fault.password",
        "time_zone": "fault.time_zone",
    }
    return known.get(error.param or "", "fault.form")


def _stale_link() -> Shown:
    return Shown("message.html", {"title": "link.stale_title", "text": "link.stale", "link": "/login"}, 400)


def _field(visit: Visit, name: str) -> str:
    return first(visit.form, name)[:MAX_FIELD]


def _query(visit: Visit, name: str) -> str:
    return first(visit.query, name)[:MAX_FIELD]
