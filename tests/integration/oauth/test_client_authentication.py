"""Clients that are none, or do not prove who they are, at the token endpoint (rules 20 to 25)."""

import base64

import pytest

from tests.integration.oauth.answers import assert_no_leak, assert_refused
from tests.integration.oauth.token_requests import CODE, basic, body_of
from tests.oauth_kit.application import Application
from tests.oauth_kit.house import House
from tools.browser.browser import Browser


def test_no_client_is_refused(public: Application):
    """Rule 23; row no client."""
    body = {"grant_type": "authorization_code", "code": CODE.code, "code_verifier": CODE.verifier}

    answer = public.http.post("/token", data=body)

    assert_refused(answer, "invalid_client", "invalid_request", statuses=(400, 401))


@pytest.mark.parametrize("client_id", ["unknown", "я", "x" * 5000, "<script>"])
def test_an_unknown_client_is_refused(public: Application, client_id: str):
    """Rules 21, 23; row client unknown."""
    answer = public.http.post("/token", data={**body_of(CODE, public), "client_id": client_id})

    assert_refused(answer, "invalid_client", statuses=(400, 401))


def test_a_nul_is_refused_wherever_it_is(public: Application):
    """Row code NUL: nothing that is text has one."""
    for name in body_of(CODE, public):
        answer = public.http.post("/token", data={**body_of(CODE, public), name: "a\0b"})

        assert_refused(answer, "invalid_request", "invalid_grant")


def test_a_wrong_secret_is_refused_with_a_challenge(confidential: Application):
    """Rule 21; row wrong secret: 401 and WWW-Authenticate where Basic was tried."""
    answer = confidential.http.post("/token", data=body_of(CODE, confidential), auth=(confidential.client_id, "wrong"))
    in_body = confidential.http.post("/token", data={**body_of(CODE, confidential), "client_secret": "wrong"})
    unknown = confidential.http.post("/token", data=body_of(CODE, confidential), auth=("unknown", "wrong"))

    assert_refused(answer, "invalid_client", statuses=(401,))
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert_refused(in_body, "invalid_client", statuses=(400, 401))
    assert_refused(unknown, "invalid_client", "invalid_request", statuses=(400, 401))


def test_a_confidential_client_without_its_secret_is_refused(browser: Browser, confidential: Application):
    """Rule 23; row no secret: the code alone is not enough."""
    given = confidential.code(browser)

    answer = confidential.http.post("/token", data=body_of(given, confidential))

    assert_refused(answer, "invalid_client", statuses=(400, 401))
    assert confidential.redeem(given).status_code == 200


def test_two_ways_of_authenticating_are_refused(browser: Browser, confidential: Application):
    """Rule 23; row two client authentications: even when both are right."""
    body = {**body_of(confidential.code(browser), confidential), "client_secret": confidential.secret}

    answer = confidential.http.post("/token", data=body, auth=(confidential.client_id, confidential.secret))

    assert_refused(answer, "invalid_request", "invalid_client", statuses=(400, 401))


def test_a_secret_in_the_query_is_refused(browser: Browser, confidential: Application):
    """Rules 20, 23; row secret in the query."""
    body = body_of(confidential.code(browser), confidential)

    answer = confidential.http.post("/token", data=body, params={"client_secret": confidential.secret})

    assert_refused(answer, "invalid_request", "invalid_client", statuses=(400, 401))


GARBAGE = ["Basic", "Basic !!!", "Basic " + base64.b64encode(b"nocolon").decode(), "Basic " + "A" * 6000,
           "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(), "Digest username=x", "Bearer x"]  # fmt: skip


@pytest.mark.parametrize("header", GARBAGE, ids=[header[:20] for header in GARBAGE])
def test_a_garbled_authorization_header_is_refused(confidential: Application, header: str):
    """Rules 21, 23; row garbage Basic."""
    body = {**body_of(CODE, confidential), "client_secret": confidential.secret}

    answer = confidential.http.post("/token", data=body, headers={"authorization": header})

    assert_refused(answer, "invalid_request", "invalid_client", statuses=(400, 401))


def test_two_authorization_headers_are_refused(browser: Browser, confidential: Application):
    """Rule 23: which of the two counts cannot be told."""
    headers = [("authorization", basic(confidential.client_id, confidential.secret)), ("authorization", "Basic eDp5")]
    given = confidential.code(browser)

    answer = confidential.http.post("/token", data=body_of(given, confidential), headers=headers)

    assert_refused(answer, "invalid_request", "invalid_client", statuses=(400, 401))


def test_basic_halves_are_form_urlencoded(browser: Browser, confidential: Application):
    """Rule 23: RFC 6749 2.3.1: %-escapes in the header mean their characters."""
    user = "".join(f"%{ord(char):02X}" for char in confidential.client_id)
    password = "".join(f"%{ord(char):02x}" for char in confidential.secret)
    body = body_of(confidential.code(browser), confidential)
    del body["client_id"]

    answer = confidential.http.post("/token", data=body, headers={"authorization": basic(user, password)})

    assert answer.status_code == 200, answer.text


def test_a_secret_in_the_body_is_one_way(browser: Browser, house: House):
    """Rule 23: client_secret_post for who registered nothing else."""
    client = house.confidential()
    body = {**body_of(client.code(browser), client), "client_secret": client.secret}

    answer = client.http.post("/token", data=body)

    assert answer.status_code in (200, 401), answer.text
    assert_no_leak(answer)
