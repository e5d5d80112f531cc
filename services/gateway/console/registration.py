"""The ways in: register, verify an address, forget a password and set a new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from servicekit.errors import InvalidRequest, Unauthenticated
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.params import typed
from services.gateway.pages.answers import PageAnswer, TemplatePage, message_page
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, page_endpoint


@dataclass(frozen=True, slots=True)
class RegistrationPages:
    """Pages for people who are not logged in. None tells whether an address is known."""

    shared: PageDependencies

    def all(self) -> list[Endpoint]:
        """Return the pages."""
        return [
            page_endpoint("/registration", self.shared, self.show_registration, self.register),
            page_endpoint("/verify-email", self.shared, self.show_verification, self.verify),
            page_endpoint("/forgot-password", self.shared, self.show_forgotten, self.forget),
            page_endpoint("/reset-password", self.shared, self.show_reset, self.reset),
        ]

    async def show_registration(self, page: PageContext) -> PageAnswer:
        """Show the form."""
        return TemplatePage("registration.html", {"email": "", "name": "", "error": "", "fault": "", "lengths": {}})

    async def register(self, page: PageContext) -> PageAnswer:
        """Begin an account."""
        email, name = typed(page.form, "email"), typed(page.form, "name")
        try:
            await self.shared.accounts.register(
                email, typed(page.form, "password"), name, page.language, page.origin, page.call
            )
        except InvalidRequest as exc:
            values = {"email": email, "name": name, "fault": exc.param or "", **told_of(exc)}
            return TemplatePage("registration.html", values, 400)
        return message_page("registration.sent")

    async def show_verification(self, page: PageContext) -> PageAnswer:
        """Ask to confirm: mail programs open links by themselves, and a GET must change nothing."""
        return TemplatePage("verify_email.html", {"token": typed(page.query, "token")})

    async def verify(self, page: PageContext) -> PageAnswer:
        """Confirm the address."""
        try:
            await self.shared.accounts.verify_email(typed(page.form, "token"), page.origin, page.call)
        except Unauthenticated:
            return message_page("link.stale", 400)
        return message_page("verify.done")

    async def show_forgotten(self, page: PageContext) -> PageAnswer:
        """Show the form."""
        return TemplatePage("forgot_password.html", {"email": "", "error": ""})

    async def forget(self, page: PageContext) -> PageAnswer:
        """Mail a link."""
        email = typed(page.form, "email")
        try:
            await self.shared.accounts.request_password_reset(email, page.origin, page.call)
        except InvalidRequest:
            return TemplatePage("forgot_password.html", {"email": email, "error": "fault.email"}, 400)
        return message_page("forgot.sent")

    async def show_reset(self, page: PageContext) -> PageAnswer:
        """Show the form."""
        return TemplatePage("reset_password.html", {"token": typed(page.query, "token"), "error": "", "lengths": {}})

    async def reset(self, page: PageContext) -> PageAnswer:
        """Set the password."""
        token = typed(page.form, "token")
        try:
            await self.shared.accounts.reset_password(token, typed(page.form, "password"), page.origin, page.call)
        except Unauthenticated:
            return message_page("link.stale", 400)
        except InvalidRequest as exc:
            return TemplatePage("reset_password.html", {"token": token, **told_of(exc)}, 400)
        page.log_out()
        return message_page("reset.done")


def told_of(error: InvalidRequest) -> dict[str, Any]:
    """Return the name of the text that says which field will not do, and the lengths that it has of a password's."""
    lengths = {name: error.details[name] for name in ("min_length", "max_length") if name in error.details}
    return {"error": "fault.password_length" if lengths else fault_of(error), "lengths": lengths}


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
