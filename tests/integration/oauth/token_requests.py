"""What is sent to the token endpoint, to be spoilt by a test."""

import base64

from tests.oauth_kit.application import Application, Given

FORM = {"content-type": "application/x-www-form-urlencoded"}


CODE = Given("rz_ac_" + "x" * 43, "v" * 64, "http://127.0.0.1:8399/callback")


def body_of(given: Given, client: Application) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": given.code,
        "code_verifier": given.verifier,
        "redirect_uri": given.redirect_uri,
        "client_id": client.client_id,
    }


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
