"""Whoever changes what may be spent proves now and then who they are: an unattended screen does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from servicekit.errors import QuotaExceeded, ServiceError, Unauthenticated
from services.gateway.clients.accounts import AccountClient
from services.gateway.console.forms.faults import PASSWORD, SESSION, Fault, FormRefused
from services.gateway.console.forms.shown import form_page
from services.gateway.edge.reading.params import typed
from services.gateway.pages import forms
from services.gateway.pages.answers import TemplatePage
from services.gateway.pages.page_context import PageContext

# What a form has of its own: the form that asks for the proof brings it anew.
_OF_THE_FORM: Final = (forms.FIELD, forms.ONCE, PASSWORD)


async def prove(page: PageContext, accounts: AccountClient) -> None:
    """Have the session count as fresh when the form brings the password; without one the API says whether it needs it.

    Raises:
        FormRefused: it is wrong, or was tried too often.
    """
    # With the blanks around it: it may have some, and is hashed with them.
    password = typed(page.form, PASSWORD)
    if not password:
        return
    try:
        await accounts.reauthenticate(page.session, password, page.origin, page.call)
    except Unauthenticated as exc:
        raise FormRefused(PASSWORD, "security.wrong_password") from exc
    except QuotaExceeded as exc:
        raise FormRefused(PASSWORD, "login.too_many") from exc
    # What is asked of the API from here on is asked by somebody who has proved it.
    user = page.known_user
    page.user = replace(user, caller=replace(page.known_caller, is_fresh=True))


def refused_proof(error: ServiceError) -> Fault:
    """Return what is wrong where a form asks who its sender is: for a password, a code, or a fresh session."""
    if isinstance(error, QuotaExceeded):
        return Fault("", "login.too_many", status=429)
    if error.param == SESSION:
        return Fault("", "security.prove")
    return Fault(PASSWORD, "security.wrong_password")


def ask_proof(page: PageContext, fault: Fault, act: str, name: str, back: str) -> TemplatePage:
    """Return the page that asks for the password before an order of a button, and gives the same order again with it.

    Args:
        page: which took the order.
        fault: why it was not given.
        act: the text that says what is about to be done, to `name`.
        name: of what it is about.
        back: where "no" leads, and the section of the menu.
    """
    kept = [(given, value) for given, value in page.form if given not in _OF_THE_FORM]
    values = {"act": act, "name": name, "back": back, "action": page.path, "kept": kept}
    return form_page("parts/prove.html", values, fault)
