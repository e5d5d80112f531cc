"""An application makes keys only soon after its person logged in, and can ask for that (rule 50)."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.integration.oauth.jwt_parts import claims_of
from tests.oauth_kit.application import Application, Pkce
from tests.oauth_kit.gateways import another_gateway
from tests.oauth_kit.house import House
from tests.oauth_kit.people import Person
from tools.browser.browser import Browser, answer_in

MAX_AGE_S = 3


@pytest.fixture(scope="module")
def strict(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A gateway that wants a proof of the last seconds."""
    folder = tmp_path_factory.mktemp("strict")
    with (
        another_gateway(house.stack, folder, GATEWAY_OAUTH_STEP_UP_MAX_AGE_S=str(MAX_AGE_S)) as url,
        house.client(url) as client,
    ):
        yield client


def make_key(http: httpx.Client, access_token: str) -> httpx.Response:
    return http.post("/v1/keys", json={"name": "x"}, headers={"authorization": f"Bearer {access_token}"})


def test_a_refused_application_sends_its_person_to_log_in_again(
    house: House, strict: httpx.Client, browser: Browser, person: Person, eventually
):
    """Rule 50: the challenge's max_age at /authorize brings a token that is good enough, though a session is there."""
    app = house.register()
    scope = "keys:write models:read"
    first = app.tokens(browser, person, scope=scope)["access_token"]
    eventually(lambda: make_key(strict, first).status_code == 401, within_s=30)
    refused = make_key(strict, first)

    def stepped_up() -> dict[str, Any]:
        return app.tokens(browser, person, scope=scope, max_age=str(MAX_AGE_S))

    assert refused.headers["www-authenticate"] == (
        f'Bearer realm="razvilka", error="insufficient_user_authentication", max_age="{MAX_AGE_S}"'
    )
    assert make_key(house.http, first).status_code == 201
    # A slow machine may need more than one attempt to be quick enough.
    eventually(lambda: make_key(strict, stepped_up()["access_token"]).status_code == 201, within_s=120)
    assert claims_of(stepped_up()["access_token"])["auth_time"] > claims_of(first)["auth_time"]


def test_tokens_say_how_the_person_logged_in(browser: Browser, public: Application, house: House):
    """Rule 50: acr and amr as announced; what this person cannot reach is told."""
    levels = house.http.get("/.well-known/oauth-authorization-server").json()["acr_values_supported"]
    claims = claims_of(public.tokens(browser, acr_values=levels[0])["access_token"])

    assert (claims["acr"], claims["amr"]) == (levels[0], ["pwd"])


def test_a_level_nobody_has_is_refused(browser: Browser, public: Application):
    """Rule 50: unmet_authentication_requirements goes to the application."""
    answer = answer_in(
        browser.walk(browser.get("/authorize", public.request(Pkce.fresh(), acr_values="urn:nobody")), None)
    )

    assert answer["error"] == "unmet_authentication_requirements"
