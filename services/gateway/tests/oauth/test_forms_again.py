"""Forms of logging in and of letting an application in that come once more: what was said before stays."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.identity_backends import PENDING
from services.gateway.tests.pages.browser import AUTHORIZE, browser, form_of, log_in, submit


@pytest.mark.parametrize("way", ["application", "device"])
async def test_whoever_mends_a_budget_gives_nothing_that_was_unticked(edge: Edge, way: str) -> None:
    """What was ticked, and the models that it is kept to, stay beside the amount that is wrong."""
    async with browser(edge) as client:
        if way == "device":
            await log_in(client)
            entry = form_of(await client.get("/device"), "/device")
            asked, action = await submit(client, entry, user_code="BCDF-GHJK"), "/device/decide"
        else:
            asked, action = await log_in(client, AUTHORIZE), "/authorize/consent"
        form = form_of(asked, action)
        scopes = [name for name in form.fields if name.startswith("scope ") and name != "scope openid"]
        models = [name for name in form.fields if name.startswith("model ")]
        unticked = dict.fromkeys([*scopes[1:], *models[1:]])
        wrong = await submit(client, form, decision="approve", budget="a lot", budget_period="day", **unticked)

    ticked = re.findall(r'name="((?:scope|model) [^"]+)" value="1" checked', wrong.text)
    assert (len(scopes) > 1, len(models) > 1) == (True, True)
    assert (wrong.status_code, ticked) == (400, [scopes[0], models[0]])
    assert 'value="a lot"' in wrong.text
    assert '<option value="day" selected>' in wrong.text


@pytest.mark.parametrize("is_logged_in", [False, True])
async def test_another_language_leaves_what_was_ticked(edge: Edge, is_logged_in: bool) -> None:
    """All scopes were ticked again, and all models allowed: whoever did not look anew gave what they had taken away."""
    async with browser(edge) as client:
        asked = await log_in(client, "/login" if is_logged_in else AUTHORIZE)
        if is_logged_in:
            asked = await client.get(AUTHORIZE)
        form = form_of(asked, "/authorize/consent")
        scopes = [name for name in form.fields if name.startswith("scope ") and name != "scope openid"]
        models = [name for name in form.fields if name.startswith("model ")]
        unticked = dict.fromkeys([*scopes[1:], *models[1:]])
        switch = replace(form, action="/authorize/continue")
        switched = await submit(client, switch, budget="12,5", budget_period="day", lang="ru", **unticked)

    ticked = re.findall(r'name="((?:scope|model) [^"]+)" value="1" checked', switched.text)
    assert 'formaction="/authorize/continue"' in asked.text
    assert asked.text.count('id="languages"') == 1
    assert (switched.status_code, '<html lang="ru">' in switched.text) == (200, True)
    assert ticked == [scopes[0], models[0]]
    assert 'value="12,5"' in switched.text
    assert '<option value="day" selected>' in switched.text


async def test_who_begins_a_login_anew_still_goes_where_they_wanted(edge: Edge, backends: Backends) -> None:
    """With another address than the one whose code is asked for: to the application, or to the page."""
    backends.accounts.totp = True
    async with browser(edge) as client:
        code_page = await log_in(client, AUTHORIZE)
        anew = await submit(client, form_of(code_page, "/authorize/continue"))
        other = await log_in(client, "/login?next=/console/keys")

    assert form_of(anew, "/login").fields["pending_id"] == PENDING
    assert 'href="/login?next=/console/keys"' in other.text
