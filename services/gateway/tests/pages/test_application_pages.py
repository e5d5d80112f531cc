"""/console/applications: what was let in, and what a person registered."""

from __future__ import annotations

import pytest
from razvilka.auth.v1 import oauth_pb2

from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.identity_backends import REDIRECT, SESSION
from services.gateway.tests.pages.browser import browser, form_of, log_in, submit

PATH = "/console/applications"
SAID = {
    "name": "Заметки",
    "redirect_uris": f"{REDIRECT}\nhttp://127.0.0.1:8399/cb",
    "scopes": ["openid", "models:read"],
}


@pytest.fixture(autouse=True)
def owner(backends: Backends) -> None:
    """Let the person have applications, in English."""
    backends.accounts.scopes += ["clients:write"]
    backends.accounts.profile.language = "en"


async def test_an_application_is_registered_and_its_secret_is_shown_once(edge: Edge, backends: Backends) -> None:
    """In the person's session; a public one has no secret to show."""
    async with browser(edge) as client:
        await log_in(client)
        form = form_of(await client.get(f"{PATH}/new"), f"{PATH}/new")
        flags = {"require_pushed_authorization_requests": None, "dpop_bound_access_tokens": "on"}
        made = await submit(client, form, **SAID, **flags, confidential="on", grant_types=["client_credentials"])
        shown, again = [await client.get(made.headers["location"]) for _ in range(2)]
        public = await submit(client, form, **SAID, **flags, confidential=None, grant_types=["authorization_code"])

    asked = next(each for each in backends.oauth.requests if isinstance(each, oauth_pb2.CreateClientRequest))
    assert ("rz_cs_1" in shown.text, "rz_cs_1" in again.text) == (True, False)
    assert (asked.session_id, asked.HasField("maker"), asked.confidential) == (SESSION, False, True)
    assert (list(asked.redirect_uris)[1], list(asked.grant_types)) == (
        "http://127.0.0.1:8399/cb", ["client_credentials"],
    )  # fmt: skip
    assert (asked.dpop_bound_access_tokens, asked.require_pushed_authorization_requests) == (True, False)
    assert public.headers["location"] == f"{PATH}?done=made"


async def test_an_application_is_changed_its_secret_replaced_and_it_is_deleted(edge: Edge, backends: Backends) -> None:
    """Only what was touched is asked for; what is somebody else's is not there."""
    one = f"{PATH}/app-1"
    backends.oauth.client.confidential = True
    said = {"redirect_uris": REDIRECT, "scopes": list(backends.oauth.client.scopes)}
    flags = dict.fromkeys(("require_pushed_authorization_requests", "dpop_bound_access_tokens"))
    async with browser(edge) as client:
        await log_in(client)
        listed = await client.get(PATH)
        form = form_of(await client.get(one), one)
        same = await submit(client, form, **said, **flags)
        renamed = await submit(client, form, **{**said, "name": "Другое"}, **flags)
        bare = await submit(client, form, **{**said, "scopes": None}, **flags)
        rotated = await submit(client, form_of(await client.get(f"{one}/rotate"), f"{one}/rotate"), overlap_s="0")
        secret = await client.get(rotated.headers["location"])
        gone = await submit(client, form_of(await client.get(f"{one}/delete"), f"{one}/delete"))
        absent = [await client.get(f"{PATH}/other{rest}") for rest in ("", "/rotate", "/delete")]

    changes = [each for each in backends.oauth.requests if isinstance(each, oauth_pb2.ChangeClientRequest)]
    assert "Примус" in listed.text
    assert [answer.status_code for answer in (same, renamed, bare, gone)] == [303, 303, 400, 303]
    assert [list(change.changed) for change in changes] == [["name"]]
    assert 'id="fault-scopes"' in bare.text
    assert "rz_cs_2" in secret.text
    assert {page.status_code for page in absent} == {404}


async def test_whoever_may_have_no_applications_still_sees_what_they_let_in(edge: Edge, backends: Backends) -> None:
    """The one part of the page needs a scope that the other does not."""
    backends.accounts.scopes.remove("clients:write")
    async with browser(edge) as client:
        await log_in(client)
        page = await client.get(PATH)

    assert (page.status_code, "Disconnect" in page.text, f"{PATH}/new" in page.text) == (200, True, False)
