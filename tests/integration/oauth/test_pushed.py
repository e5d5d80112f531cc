"""Pushed authorization requests (rule 49): the browser sees a name."""

from tests.oauth_kit.application import Application, Given, Pkce
from tests.oauth_kit.house import House
from tools.browser.browser import Browser, answer_in


def test_a_browser_with_a_name_brings_a_code(browser: Browser, confidential: Application):
    """Rule 49: pushed, opened, redeemed."""
    pkce = Pkce.fresh()
    asked = confidential.request(pkce)
    pushed = confidential.post("/par", **asked)

    named = {"client_id": confidential.client_id, "request_uri": pushed.json()["request_uri"], "scope": "admin"}
    answer = answer_in(browser.walk(browser.get("/authorize", named), None))

    assert (pushed.status_code, pushed.headers["cache-control"]) == (201, "no-store")
    assert answer["state"] == asked["state"]
    token = confidential.redeem(Given(answer["code"], pkce.verifier, asked["redirect_uri"])).json()
    assert token["scope"] == "completions:write models:read"


def test_a_name_is_good_for_one_browser(house: House, browser: Browser, person, public: Application):
    """Rule 49: the second one sees a page with 400, and no redirect."""
    name = public.post("/par", **public.request(Pkce.fresh())).json()["request_uri"]
    named = {"client_id": public.client_id, "request_uri": name}

    assert browser.get("/authorize", named).status_code == 200
    with house.browser(person) as other:
        again = other.get("/authorize", named)

    assert again.status_code == 400
    assert "location" not in again.headers
