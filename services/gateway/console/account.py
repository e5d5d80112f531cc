"""/console: the profile, the password, the second factor and the sessions of whoever is logged in."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final

from servicekit.errors import Conflict, InvalidRequest, PermissionDenied, QuotaExceeded, ServiceError, Unauthenticated
from services.gateway.console.registration import fault_of
from services.gateway.edge.params import first
from services.gateway.pages.page_context import PageAnswer, Person, Sent, Shown, Visit
from services.gateway.pages.page_endpoint import Page, Site

MAX_FIELD: Final = 1024
ZONES: Final = (
    "Europe/Kaliningrad", "Europe/Moscow", "Europe/Samara", "Asia/Yekaterinburg", "Asia/Omsk", "Asia/Novosibirsk",
    "Asia/Krasnoyarsk", "Asia/Irkutsk", "Asia/Yakutsk", "Asia/Vladivostok", "Asia/Magadan", "Asia/Kamchatka", "UTC",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AccountPages:
    """Pages for members."""

    site: Site

    def all(self) -> list[Page]:
        """Return the pages."""
        site = self.site
        return [
            Page("/console", site, self.show_profile, self.change_profile, members=True),
            Page("/console/security", site, self.show_security, members=True),
            Page("/console/password", site, None, self.change_password, members=True),
            Page("/console/totp", site, None, self.enroll, members=True),
            Page("/console/totp/confirm", site, None, self.confirm, members=True),
            Page("/console/totp/disable", site, None, self.disable, members=True),
            Page("/console/sessions", site, self.show_sessions, self.end_session, members=True),
        ]

    async def show_profile(self, visit: Visit) -> PageAnswer:
        """Show who is logged in."""
        return self._profile_page(visit)

    def _profile_page(self, visit: Visit, *, error: str = "", notice: str = "", status: int = 200) -> Shown:
        profile = visit.known_person.profile
        zones = ZONES if profile.time_zone in ZONES or not profile.time_zone else (profile.time_zone, *ZONES)
        values = {"profile": profile, "zones": zones, "error": error, "notice": notice}
        return Shown("profile.html", values, status)

    async def change_profile(self, visit: Visit) -> PageAnswer:
        """Change what the form says; a new address is written to before it counts."""
        person = visit.known_person
        email = _field(visit, "email")
        moved = bool(email) and email != person.profile.email
        try:
            profile = await self.site.accounts.update_profile(
                person.profile.user_id,
                visit.call,
                name=_field(visit, "name"),
                language=_field(visit, "language") or None,
                time_zone=_field(visit, "time_zone") or None,
                email=email if moved else None,
                current_password=_field(visit, "current_password"),
                origin=visit.origin,
            )
        except InvalidRequest as exc:
            return self._profile_page(visit, error=fault_of(exc), status=400)
        except Conflict:
            return self._profile_page(visit, error="fault.email", status=400)
        except (Unauthenticated, QuotaExceeded, PermissionDenied) as exc:
            return self._profile_page(visit, error=_wrong_password(exc), status=429 if _is_quota(exc) else 400)
        visit.person = Person(person.session, profile)
        visit.switch_to(profile.language)
        return self._profile_page(visit, notice="profile.confirm_email" if moved else "profile.saved")

    async def show_security(self, visit: Visit) -> PageAnswer:
        """Show the password form and the second factor."""
        return _security_page(visit)

    async def change_password(self, visit: Visit) -> PageAnswer:
        """Change the password; all other sessions end."""
        try:
            await self.site.accounts.change_password(
                visit.known_person.profile.user_id,
                _field(visit, "current_password"),
                _field(visit, "new_password"),
                visit.origin,
                visit.call,
                keep=visit.session,
            )
        except InvalidRequest as exc:
            return _security_page(visit, error=fault_of(exc), status=400)
        except (Unauthenticated, QuotaExceeded, PermissionDenied) as exc:
            return _security_page(visit, error=_wrong_password(exc), status=429 if _is_quota(exc) else 400)
        return _security_page(visit, notice="security.password_changed")

    async def enroll(self, visit: Visit) -> PageAnswer:
        """Show a fresh secret, as a picture and as text."""
        totp = await self.site.accounts.enroll_totp(visit.known_person.profile.user_id, visit.call)
        picture = base64.b64encode(totp.qr_svg.encode()).decode()
        return Shown("totp.html", {"secret": totp.secret, "picture": picture, "error": ""})

    async def confirm(self, visit: Visit) -> PageAnswer:
        """Switch the second factor on and show the recovery codes, this once."""
        user_id = visit.known_person.profile.user_id
        try:
            codes = await self.site.accounts.confirm_totp(user_id, _field(visit, "code").replace(" ", ""), visit.call)
        except (InvalidRequest, Unauthenticated):
            return Shown("totp.html", {"secret": "", "picture": "", "error": "login.wrong_code"}, 400)
        return Shown("recovery_codes.html", {"codes": codes})

    async def disable(self, visit: Visit) -> PageAnswer:
        """Switch the second factor off."""
        try:
            await self.site.accounts.disable_totp(
                visit.known_person.profile.user_id,
                _field(visit, "password"),
                _field(visit, "code").replace(" ", ""),
                visit.call,
            )
        except (InvalidRequest, Unauthenticated, QuotaExceeded, PermissionDenied) as exc:
            return _security_page(visit, error=_wrong_password(exc), status=429 if _is_quota(exc) else 400)
        return Sent("/console/security")

    async def show_sessions(self, visit: Visit) -> PageAnswer:
        """List the sessions."""
        user_id = visit.known_person.profile.user_id
        sessions = await self.site.accounts.list_sessions(user_id, visit.session, visit.call)
        return Shown("sessions.html", {"sessions": sessions})

    async def end_session(self, visit: Visit) -> PageAnswer:
        """End one."""
        user_id = visit.known_person.profile.user_id
        await self.site.accounts.revoke_session(user_id, _field(visit, "session_id"), visit.call)
        return Sent("/console/sessions")


def _security_page(visit: Visit, *, error: str = "", notice: str = "", status: int = 200) -> Shown:
    values: dict[str, Any] = {"profile": visit.known_person.profile, "error": error, "notice": notice}
    return Shown("security.html", values, status)


def _wrong_password(error: ServiceError) -> str:
    return "login.too_many" if _is_quota(error) else "security.wrong_password"


def _is_quota(error: ServiceError) -> bool:
    return isinstance(error, QuotaExceeded)


def _field(visit: Visit, name: str) -> str:
    return first(visit.form, name)[:MAX_FIELD]
