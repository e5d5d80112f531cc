"""oauth4webapi and openid-client, unchanged and as strict as they are, against the running suite."""

from typing import Any

import pytest

from tests.oauth_kit.application import Application
from tests.oauth_kit.house import House
from tests.oauth_kit.node import Node, find_node
from tests.oauth_kit.people import Person
from tools.browser.browser import Browser
from tools.browser.forms import form_with

SCOPE = "openid email models:read"


@pytest.fixture(scope="module")
def node(stack) -> Node:
    """Node.js with the packages."""
    return find_node()


def config_of(house: House, client: Application, introspector: Application) -> dict[str, Any]:
    return {
        "issuer": house.url,
        "audience": house.url,
        "clientId": client.client_id,
        "secret": client.secret,
        "redirectUri": client.redirect_uri,
        "scope": SCOPE,
        "introspector": {"clientId": introspector.client_id, "secret": introspector.secret},
    }


@pytest.fixture(params=["public", "confidential"])
def client(request, public: Application, confidential: Application) -> Application:
    """Both kinds."""
    return {"public": public, "confidential": confidential}[request.param]


@pytest.mark.parametrize("script", ["oauth4webapi.mjs", "openid_client.mjs"])
def test_a_strict_client_goes_the_whole_way(
    node: Node, house: House, person: Person, client: Application, confidential: Application, script: str
):
    """Discovery, code + PKCE, ID token, userinfo, refresh, introspection, revocation: the client checks each answer."""
    with house.browser() as browser:
        done = node.talk(
            script, config_of(house, client, confidential), lambda url: browser.walk(browser.get(url), person)
        )

    assert done["sub"] == person.user_id
    assert done["userInfo"]["email"] == person.email
    assert done["refreshed"]["refresh_token"] != done["tokens"]["refresh_token"]
    assert done["before"]["active"] is True
    assert done["before"]["client_id"] == client.client_id
    assert done["after"] == {"active": False}


def test_a_client_that_holds_a_key_goes_the_whole_way(
    node: Node, house: House, person: Person, client: Application, confidential: Application
):
    """RFC 9449 as oauth4webapi does it: dpop_jkt, nonces, bound tokens at /token, /userinfo and the API."""
    with house.browser() as browser:
        done = node.talk(
            "dpop.mjs", config_of(house, client, confidential), lambda url: browser.walk(browser.get(url), person)
        )

    assert done["type"].lower() == "dpop"
    assert done["statuses"] == [200, 200]
    assert done["bearer"] == 401
    assert done["userInfo"]["email"] == person.email
    assert confidential.introspect(done["access"]).json()["cnf"] == {"jkt": done["thumbprint"]}


def test_a_client_pushes_its_request(
    node: Node, house: House, person: Person, client: Application, confidential: Application
):
    """RFC 9126 as openid-client does it, with DPoP on top: the address has two parameters."""
    with house.browser() as browser:
        done = node.talk(
            "par.mjs", config_of(house, client, confidential), lambda url: browser.walk(browser.get(url), person)
        )

    assert sorted(done["names"]) == ["client_id", "request_uri"]
    assert (done["type"].lower(), done["status"]) == ("dpop", 200)
    assert done["sub"] == person.user_id


def test_a_resource_servers_own_check_accepts_the_access_token(
    node: Node, house: House, person: Person, public: Application, confidential: Application
):
    """RFC 9068 as oauth4webapi reads it; and both metadata documents are one."""
    with house.browser() as browser:
        config = config_of(house, public, confidential)
        done = node.talk("oauth4webapi.mjs", config, lambda url: browser.walk(browser.get(url), person))

    assert done["same"] is True
    assert done["access"]["client_id"] == public.client_id
    assert done["access"]["sub"] == person.user_id


def test_a_program_registers_itself_and_is_let_in_by_a_code(node: Node, house: House, person: Person):
    """RFC 7591 and RFC 8628 as openid-client does them."""
    config = {"issuer": house.url, "registrationToken": house.stack.demo.registration_token}

    with house.browser(person) as browser:
        done = node.talk("register.mjs", config, lambda url: let_in(browser, url))

    assert done["clientId"]
    assert done["status"] == 200
    assert done["asked"]["interval"] >= 1


def let_in(browser: Browser, url: str) -> str:
    """Enter the code that the program shows, and agree."""
    enter = form_with(browser.get(url).text, "user_code")
    assert enter is not None
    confirm = form_with(browser.send(enter).text, "decision")
    assert confirm is not None
    assert browser.send(confirm, decision="approve").status_code == 200
    return url
