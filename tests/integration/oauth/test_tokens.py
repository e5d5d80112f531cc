"""Codes, refresh tokens and what happens when one is used twice (rules 26 to 31; rows refresh)."""

import json

import pytest

from tests.integration.oauth.answers import assert_refused
from tests.integration.oauth.jwt_parts import claims_of
from tests.oauth_kit.application import SCOPE, Application, use
from tests.oauth_kit.house import House
from tools.browser.browser import Browser
from tools.browser.forms import form_with


def is_active(confidential: Application, token: str) -> bool:
    return bool(confidential.introspect(token).json()["active"])


def test_a_used_code_ends_what_came_of_it(browser: Browser, public: Application, confidential: Application, eventually):
    """Rule 27: access token, refresh token, and at the gateway too."""
    given = public.code(browser)
    tokens = public.redeem(given).json()
    assert use(public.http, tokens["access_token"]).status_code == 200

    assert_refused(public.redeem(given), "invalid_grant")

    assert not is_active(confidential, tokens["access_token"])
    assert_refused(public.refresh(tokens["refresh_token"]), "invalid_grant")
    eventually(lambda: use(public.http, tokens["access_token"]).status_code == 401)


def test_a_used_code_in_a_strangers_hand_ends_nothing(browser: Browser, public: Application, other: Application):
    """Rule 27: a leaked code is no button that logs others out."""
    given = public.code(browser)
    tokens = public.redeem(given).json()

    assert_refused(other.redeem(given), "invalid_grant")

    assert public.refresh(tokens["refresh_token"]).status_code == 200


def test_a_used_code_with_a_wrong_verifier_is_refused(browser: Browser, public: Application):
    """Rules 24, 26: in whatever way it is wrong."""
    given = public.code(browser)
    assert public.redeem(given).status_code == 200

    assert_refused(public.redeem(given, code_verifier="w" * 64), "invalid_grant")


def test_a_refresh_gives_a_new_pair(browser: Browser, public: Application):
    """Rules 28, 29: rotated on every use."""
    first = public.tokens(browser)

    second = public.refresh(first["refresh_token"])

    assert second.status_code == 200
    assert second.headers["cache-control"] == "no-store"
    token = second.json()
    assert token["refresh_token"] != first["refresh_token"]
    assert token["access_token"] != first["access_token"]
    assert token["scope"] == first["scope"]
    assert use(public.http, token["access_token"]).status_code == 200


@pytest.mark.parametrize("kind", ["public", "confidential"])
def test_a_refresh_token_used_twice_ends_the_family(
    browser: Browser, public: Application, confidential: Application, kind: str, eventually
):
    """Rule 29; row refresh used: the thief's and the owner's tokens are all dead, access tokens too."""
    client = {"public": public, "confidential": confidential}[kind]
    first = client.tokens(browser)
    # With its successor used the grace of the first is over, at once.
    second = client.refresh(client.refresh(first["refresh_token"]).json()["refresh_token"]).json()

    assert_refused(client.refresh(first["refresh_token"]), "invalid_grant")

    assert_refused(client.refresh(second["refresh_token"]), "invalid_grant")
    for token in (first, second):
        assert not is_active(confidential, token["access_token"])
    eventually(lambda: use(client.http, second["access_token"]).status_code == 401)


BAD_REFRESH = {
    "absent": (None, "invalid_request"),
    "empty": ("", "invalid_request"),
    "unknown": ("rz_rt_" + "x" * 43, "invalid_grant"),
    "garbage": ("x", "invalid_grant"),
    "NUL": ("rz_rt_\0", "invalid_request"),
    "not ASCII": ("жетон", "invalid_grant"),
}


@pytest.mark.parametrize(("token", "error"), BAD_REFRESH.values(), ids=BAD_REFRESH)
def test_refresh_tokens_that_are_none(public: Application, token: str | None, error: str):
    """Row refresh absent, unknown."""
    assert_refused(public.token(grant_type="refresh_token", refresh_token=token), error, "invalid_grant")


def test_another_clients_refresh_token_is_refused_and_lives(browser: Browser, public: Application, other: Application):
    """Rule 29; row refresh of another client."""
    tokens = public.tokens(browser)

    assert_refused(other.refresh(tokens["refresh_token"]), "invalid_grant")

    assert public.refresh(tokens["refresh_token"]).status_code == 200


def test_an_access_token_refreshes_nothing(browser: Browser, public: Application):
    """Row refresh: an access token."""
    assert_refused(public.refresh(public.tokens(browser)["access_token"]), "invalid_grant")


def test_a_refresh_cannot_widen_the_scope(browser: Browser, public: Application):
    """Rule 30; row refresh with more scope; the token survives the question."""
    tokens = public.tokens(browser, scope="models:read")

    assert_refused(public.refresh(tokens["refresh_token"], scope="models:read completions:write"), "invalid_scope")
    assert_refused(public.refresh(tokens["refresh_token"], scope="everything"), "invalid_scope")

    assert public.refresh(tokens["refresh_token"]).status_code == 200


def test_a_narrowed_refresh_keeps_the_original_scope(browser: Browser, public: Application):
    """Rule 30: the next refresh gives everything again."""
    tokens = public.tokens(browser)

    narrow = public.refresh(tokens["refresh_token"], scope="models:read").json()
    wide = public.refresh(narrow["refresh_token"]).json()

    assert narrow["scope"] == "models:read"
    assert claims_of(narrow["access_token"])["scope"] == "models:read"
    assert set(wide["scope"].split()) == set(SCOPE.split())


def test_refresh_tokens_have_two_ends(house: House, browser: Browser, public: Application):
    """Rule 31: 30 days unused, 90 days in all, by the database's own account."""
    public.tokens(browser)
    row = house.stack.query(
        "SELECT max(r.expires_at - r.created_at) AS idle, max(g.expires_at - g.created_at) AS whole"
        " FROM auth.oauth_refresh_tokens r JOIN auth.oauth_grants g ON g.id = r.grant_id"
    )[0]

    assert row["idle"].days <= 30
    assert row["whole"].days <= 90


@pytest.mark.parametrize("column", ["auth.oauth_refresh_tokens.expires_at", "auth.oauth_grants.expires_at"])
def test_an_old_refresh_token_is_refused(house: House, browser: Browser, column: str):
    """Rule 31: after either end."""
    client = house.register()
    tokens = client.tokens(browser)
    table, _, name = column.rpartition(".")
    house.stack.query(
        f"UPDATE {table} SET {name} = created_at - interval '1 second' WHERE client_id = $1", client.client_id
    )

    assert_refused(client.refresh(tokens["refresh_token"]), "invalid_grant")


def test_a_new_password_ends_the_refresh_tokens(house: House, public: Application, eventually):
    """Rule 31: who changes a password means: everything else out."""
    person = house.new_person()
    with house.browser(person) as browser:
        tokens = public.tokens(browser)
        form = form_with(browser.get("/console/security").text, "new_password")
        assert form is not None
        answer = browser.send(form, current_password=person.password, new_password="a new and longer password 7")
        assert answer.status_code == 200

    assert_refused(public.refresh(tokens["refresh_token"]), "invalid_grant")
    eventually(lambda: use(public.http, tokens["access_token"]).status_code == 401)


def test_a_client_acts_for_itself_without_a_refresh_token(confidential: Application):
    """client_credentials: the client pays itself; there is nobody to come back to."""
    token = confidential.token(grant_type="client_credentials", scope="models:read").json()

    assert "refresh_token" not in token
    assert "id_token" not in token
    assert use(confidential.http, token["access_token"]).status_code == 200


def test_a_public_client_cannot_act_for_itself(public: Application):
    """RFC 6749 4.4: nobody proves who a public client is."""
    answer = public.token(grant_type="client_credentials", scope="models:read")

    assert_refused(answer, "unauthorized_client", "invalid_client", statuses=(400, 401))


def test_answers_are_json_objects_with_known_members(browser: Browser, public: Application):
    """Rule 22: nothing else is told."""
    answer = public.redeem(public.code(browser, scope="openid models:read"))

    assert set(json.loads(answer.text)) == {
        "access_token", "token_type", "expires_in", "refresh_token", "scope", "id_token",
    }  # fmt: skip
