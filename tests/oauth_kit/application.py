"""An OAuth application: what it asks the browser to ask, and what it asks the token endpoint itself."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from tests.oauth_kit.people import Person
from tools.browser.browser import Browser, answer_in

SCOPE: Final = "models:read completions:write"
FORM: Final = {"content-type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Pkce:
    """A verifier and its challenge."""

    verifier: str
    challenge: str

    @classmethod
    def fresh(cls) -> "Pkce":
        """Return a new pair."""
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        return cls(verifier, base64.urlsafe_b64encode(digest).rstrip(b"=").decode())


@dataclass(frozen=True, slots=True)
class Given:
    """A code and what its redemption needs."""

    code: str
    verifier: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Application:
    """A registered client at one gateway."""

    http: httpx.Client
    client_id: str
    redirect_uri: str
    secret: str = field(default="", repr=False)

    def at(self, http: httpx.Client) -> "Application":
        """Return the same client at another gateway."""
        return Application(http, self.client_id, self.redirect_uri, self.secret)

    def request(self, pkce: Pkce, **overrides: str | None) -> dict[str, str]:
        """Return the parameters of an authorization request; None leaves one out."""
        params: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": SCOPE,
            "state": secrets.token_urlsafe(8),
            "code_challenge": pkce.challenge,
            "code_challenge_method": "S256",
            **overrides,
        }
        return {name: value for name, value in params.items() if value is not None}

    def code(self, browser: Browser, person: Person | None = None, **overrides: str | None) -> Given:
        """Let the browser fetch a code."""
        pkce = Pkce.fresh()
        asked = self.request(pkce, **overrides)
        answer = answer_in(browser.walk(browser.get("/authorize", asked), person))
        assert "code" in answer, answer
        assert answer.get("state") == asked.get("state")
        return Given(answer["code"], pkce.verifier, asked["redirect_uri"])

    def redeem(self, given: Given, **overrides: str | None) -> httpx.Response:
        """Trade a code."""
        return self.token(
            **{
                "grant_type": "authorization_code",
                "code": given.code,
                "code_verifier": given.verifier,
                "redirect_uri": given.redirect_uri,
                **overrides,
            },
        )

    def tokens(self, browser: Browser, person: Person | None = None, **overrides: str | None) -> dict[str, Any]:
        """Go the whole way to tokens."""
        answer = self.redeem(self.code(browser, person, **overrides))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def refresh(self, refresh_token: str, **overrides: str | None) -> httpx.Response:
        """Trade a refresh token."""
        return self.token(**{"grant_type": "refresh_token", "refresh_token": refresh_token, **overrides})

    def token(self, **params: str | None) -> httpx.Response:
        """Ask the token endpoint."""
        return self.post("/token", **params)

    def revoke(self, token: str, **params: str | None) -> httpx.Response:
        """Ask the revocation endpoint."""
        return self.post("/revoke", **{"token": token, **params})

    def introspect(self, token: str, **params: str | None) -> httpx.Response:
        """Ask the introspection endpoint."""
        return self.post("/introspect", **{"token": token, **params})

    def post(self, path: str, **params: str | None) -> httpx.Response:
        """Post a form as this client: with Basic when it has a secret, else with its id in the body.

        `dpop` is no field but a header: a proof of possession.
        """
        body = {name: value for name, value in params.items() if value is not None}
        headers = {"dpop": proof} if (proof := body.pop("dpop", "")) else {}
        if self.secret:
            return self.http.post(path, data=body, auth=(self.client_id, self.secret), headers=headers)
        return self.http.post(path, data={"client_id": self.client_id, **body}, headers=headers)


def use(http: httpx.Client, access_token: str, path: str = "/v1/models") -> httpx.Response:
    """Call the API with an access token."""
    return http.get(path, headers={"authorization": f"Bearer {access_token}"})
