"""/console: the profile, the password, the second factor and the sessions of whoever is logged in."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from servicekit.errors import Conflict, InvalidRequest, PermissionDenied, QuotaExceeded, ServiceError, Unauthenticated
from services.gateway.console.forms.proof import refused_proof
from services.gateway.console.registration import fault_of, told_of
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.params import typed
from services.gateway.pages.answers import PageAnswer, Redirect, TemplatePage
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, member_pages

PROFILE_FIELDS: Final = ("name", "email", "language", "time_zone")
ZONES: Final = (
    "Europe/Kaliningrad", "Europe/Moscow", "Europe/Samara", "Asia/Yekaterinburg", "Asia/Omsk", "Asia/Novosibirsk",
    "Asia/Krasnoyarsk", "Asia/Irkutsk", "Asia/Yakutsk", "Asia/Vladivostok", "Asia/Magadan", "Asia/Kamchatka", "UTC",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AccountPages:
    """Profile, security and sessions."""

    shared: PageDependencies

    def all(self) -> list[Endpoint]:
        """Return the pages."""
        pages = (
            ("/console/profile", self.show_profile, self.change_profile),
            ("/console/security", self.show_security, None),
            ("/console/password", None, self.change_password),
            ("/console/totp", None, self.enroll),
            ("/console/totp/confirm", None, self.confirm),
            ("/console/totp/disable", None, self.disable),
            ("/console/sessions", self.show_sessions, self.end_session),
        )
        return member_pages(self.shared, pages)

    async def show_profile(self, page: PageContext) -> PageAnswer:
        """Show who is logged in."""
        return self._profile_page(page)

    def _profile_page(
        self, page: PageContext, *, error: str = "", fault: str = "", notice: str = "", status: int = 200
    ) -> TemplatePage:
        profile = page.known_user.profile
        zones = ZONES if profile.time_zone in ZONES or not profile.time_zone else (profile.time_zone, *ZONES)
        said = {name: typed(page.form, name) if error else getattr(profile, name) for name in PROFILE_FIELDS}
        shown = {"error": error, "fault": fault, "notice": notice}
        return TemplatePage("profile.html", {"profile": profile, "said": said, "zones": zones, **shown}, status)

    async def change_profile(self, page: PageContext) -> PageAnswer:
        """Change what the form says; a new address is written to before it counts."""
        user = page.known_user
        email = typed(page.form, "email")
        moved = bool(email) and email != user.profile.email
        try:
            profile = await self.shared.accounts.update_profile(
                user.profile.user_id,
                page.call,
                name=typed(page.form, "name"),
                language=typed(page.form, "language") or None,
                time_zone=typed(page.form, "time_zone") or None,
                email=email if moved else None,
                current_password=typed(page.form, "current_password"),
                session=page.session,
                origin=page.origin,
            )
        except InvalidRequest as exc:
            return self._profile_page(page, error=fault_of(exc), fault=exc.param or "", status=400)
        except Conflict:
            return self._profile_page(page, error="fault.email", fault="email", status=400)
        except (Unauthenticated, QuotaExceeded, PermissionDenied) as exc:
            return self._profile_page(page, **_wrong_password(exc, "current_password"))
        page.user = replace(user, profile=profile)
        page.switch_to(profile.language)
        return self._profile_page(page, notice="profile.confirm_email" if moved else "profile.saved")

    async def show_security(self, page: PageContext) -> PageAnswer:
        """Show the password form and the second factor."""
        return _security_page(page)

    async def change_password(self, page: PageContext) -> PageAnswer:
        """Change the password; all other sessions end."""
        try:
            await self.shared.accounts.change_password(
                page.known_user.profile.user_id,
                typed(page.form, "current_password"),
                typed(page.form, "new_password"),
                page.origin,
                page.call,
                keep=page.session,
            )
        except InvalidRequest as exc:
            return _security_page(page, fault="new_password", status=400, **told_of(exc))
        except (Unauthenticated, QuotaExceeded, PermissionDenied) as exc:
            return _security_page(page, **_wrong_password(exc, "current_password"))
        return _security_page(page, notice="security.password_changed")

    async def enroll(self, page: PageContext) -> PageAnswer:
        """Show a fresh secret, as a picture and as text."""
        user_id, password = page.known_user.profile.user_id, typed(page.form, "password")
        try:
            totp = await self.shared.accounts.enroll_totp(
                user_id, password, page.origin, page.call, session=page.session
            )
        except (Unauthenticated, QuotaExceeded) as exc:
            return _security_page(page, **_wrong_password(exc, "enroll_password"))
        picture = base64.b64encode(totp.qr_svg.encode()).decode()
        return TemplatePage("totp.html", {"secret": totp.secret, "picture": picture, "error": ""})

    async def confirm(self, page: PageContext) -> PageAnswer:
        """Switch the second factor on and show the recovery codes, this once."""
        user_id = page.known_user.profile.user_id
        try:
            code = typed(page.form, "code").replace(" ", "")
            codes = await self.shared.accounts.confirm_totp(user_id, code, page.origin, page.call)
        except (InvalidRequest, Unauthenticated):
            return TemplatePage("totp.html", {"secret": "", "picture": "", "error": "login.wrong_code"}, 400)
        return TemplatePage("recovery_codes.html", {"codes": codes})

    async def disable(self, page: PageContext) -> PageAnswer:
        """Switch the second factor off."""
        try:
            await self.shared.accounts.disable_totp(
                page.known_user.profile.user_id,
                typed(page.form, "password"),
                typed(page.form, "code").replace(" ", ""),
                page.origin,
                page.call,
            )
        except (InvalidRequest, Unauthenticated, QuotaExceeded, PermissionDenied) as exc:
            return _security_page(page, **_wrong_password(exc, "totp"))
        return Redirect("/console/security")

    async def show_sessions(self, page: PageContext) -> PageAnswer:
        """List the sessions."""
        user_id = page.known_user.profile.user_id
        sessions = await self.shared.accounts.list_sessions(user_id, page.session, page.call)
        return TemplatePage("sessions.html", {"sessions": sessions})

    async def end_session(self, page: PageContext) -> PageAnswer:
        """End one."""
        user_id = page.known_user.profile.user_id
        await self.shared.accounts.revoke_session(user_id, typed(page.form, "session_id"), page.call)
        return Redirect("/console/sessions")


def _security_page(
    page: PageContext,
    *,
    error: str = "",
    fault: str = "",
    notice: str = "",
    status: int = 200,
    lengths: Mapping[str, str] | None = None,
) -> TemplatePage:
    shown = {"error": error, "fault": fault, "notice": notice, "lengths": lengths or {}}
    values: dict[str, Any] = {"profile": page.known_user.profile, **shown}
    return TemplatePage("security.html", values, status)


def _wrong_password(error: ServiceError, field: str) -> dict[str, Any]:
    """Return what a page says of a proof that was refused, and at which field."""
    refused = refused_proof(error)
    return {"error": refused.text, "fault": refused.field and field, "status": refused.status}
