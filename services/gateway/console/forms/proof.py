"""Whoever changes what may be spent proves now and then who they are: an unattended screen does not."""

from __future__ import annotations

from servicekit.errors import QuotaExceeded, Unauthenticated
from services.gateway.clients.accounts import AccountClient
from services.gateway.console.forms.draft import Draft
from services.gateway.console.forms.faults import PASSWORD, FormRefused
from services.gateway.pages.page_context import PageContext

LONGEST: int = 1024


async def prove(page: PageContext, accounts: AccountClient) -> None:
    """Have the session count as fresh when the form brings the password; without one the API says whether it needs it.

    Raises:
        FormRefused: it is wrong, or was tried too often.
    """
    password = Draft(page.form).one(PASSWORD)
    if not password:
        return
    try:
        await accounts.reauthenticate(page.session, password[:LONGEST], page.origin, page.call)
    except Unauthenticated as exc:
        raise FormRefused(PASSWORD, "security.wrong_password") from exc
    except QuotaExceeded as exc:
        raise FormRefused(PASSWORD, "login.too_many") from exc
