"""The steps of the demo. The client is Authlib, used as its documentation has it; nothing of ours is in between."""

import base64
import json
import secrets
import time
from collections.abc import Callable
from typing import Any, Final

import httpx
from authlib.integrations.httpx_client import OAuth2Client

from tools.accounts.demo import REDIRECT_URI, Demo
from tools.browser.browser import answer_in

SCOPE: Final = "openid email models:read completions:write"
QUESTION: Final = {"model": "yandexgpt-lite:latest", "messages": [{"role": "user", "content": "Где северная стоянка?"}]}
REVOKED_WITHIN_S: Final = 30.0
Say = Callable[[str], None]
# An authorization URL -> where the browser is sent in the end.
Visit = Callable[[str], str]


class DemoFailed(Exception):
    """A step did not go as it should."""


class Story:
    """One person lets one application in, and shows it out again."""

    def __init__(self, demo: Demo, visit: Visit, say: Say) -> None:
        self._demo = demo
        self._visit = visit
        self._say = say
        self._step = 0
        self._http = httpx.Client(base_url=demo.url, trust_env=False, timeout=60)
        self._metadata: dict[str, Any] = {}

    def tell(self) -> None:
        """Go through all steps.

        Raises:
            DemoFailed: one went wrong.
        """
        with self._http, self._client(self._demo.public_client_id, scope=SCOPE) as application:
            self._discover()
            token = self._let_in(application)
            self._use(application)
            token = self._refresh(application, token)
            self._revoke(application, token)
        self._act_for_itself()

    def _client(self, client_id: str, secret: str = "", **options: Any) -> OAuth2Client:
        return OAuth2Client(
            client_id,
            secret or None,
            token_endpoint_auth_method="client_secret_basic" if secret else "none",
            redirect_uri=REDIRECT_URI,
            code_challenge_method="S256",
            trust_env=False,
            timeout=60,
            **options,
        )

    def _begin(self, title: str) -> None:
        self._step += 1
        self._say(f"\n{self._step}. {title}")

    def _show(self, name: str, value: Any) -> None:
        self._say(f"   {name:<22} {value}")

    def _discover(self) -> None:
        self._begin("The application reads what the server says of itself")
        self._metadata = dict(self._http.get("/.well-known/oauth-authorization-server").raise_for_status().json())
        for name in ("issuer", "authorization_endpoint", "token_endpoint", "revocation_endpoint"):
            self._show(name, self._metadata[name])

    def _let_in(self, application: OAuth2Client) -> dict[str, Any]:
        self._begin("It sends the browser there, with the hash of a secret that only it knows (PKCE)")
        verifier = secrets.token_urlsafe(48)
        url, state = application.create_authorization_url(
            self._metadata["authorization_endpoint"], code_verifier=verifier
        )
        self._show("address", url)
        self._begin("The person logs in, reads what is asked and agrees: at most 500 ₽ a month")
        redirected = self._visit(url)
        self._begin("The browser comes back with a code, good for a minute and once")
        told = answer_in(redirected)
        if "error" in told:
            raise DemoFailed(f"the answer is {told['error']}: {told.get('error_description', '')}")
        if told["iss"] != self._metadata["issuer"] or told["state"] != state:
            raise DemoFailed("somebody else sent this browser: iss or state are not those of the request")
        self._show("code", _short(told["code"]))
        self._show("iss, state", "are those of the request")
        self._begin("The application trades code and secret for tokens")
        token = dict(
            application.fetch_token(
                self._metadata["token_endpoint"], authorization_response=redirected, code_verifier=verifier, state=state
            )
        )
        self._show_token(token)
        return token

    def _show_token(self, token: dict[str, Any]) -> None:
        for name in ("access_token", "refresh_token"):
            self._show(name, _short(token[name]))
        self._show("expires_in", f"{token['expires_in']} s")
        self._show("scope", token["scope"])
        claims = _claims(token["access_token"])
        self._show("claims", json.dumps({name: claims[name] for name in ("iss", "aud", "sub", "scope")}))

    def _use(self, application: OAuth2Client) -> None:
        self._begin("It asks who the person is, and a model a question, at the person's cost")
        self._show("userinfo", application.get(self._metadata["userinfo_endpoint"]).raise_for_status().text)
        answer = application.post(f"{self._demo.url}/v1/chat/completions", json=QUESTION).raise_for_status().json()
        self._show("answer", answer["choices"][0]["message"]["content"][:70])
        self._show("cost", f"{answer['usage']['cost_rub']} ₽")
        refused = application.get(f"{self._demo.url}/v1/keys")
        self._show("/v1/keys", f"{refused.status_code} {refused.headers.get('www-authenticate', '')}")
        if refused.status_code != 403:
            raise DemoFailed("the API gave more than the scope allows")

    def _refresh(self, application: OAuth2Client, token: dict[str, Any]) -> dict[str, Any]:
        self._begin("Before the 15 minutes are over it trades the refresh token for a new pair")
        fresh = dict(application.refresh_token(self._metadata["token_endpoint"], refresh_token=token["refresh_token"]))
        self._show_token(fresh)
        return fresh

    def _revoke(self, application: OAuth2Client, token: dict[str, Any]) -> None:
        self._begin("The person has had enough: the application gives its access back")
        self._show("introspection", self._introspect(token["access_token"]))
        # Authlib's own stubs leave this method untyped.
        revoke: Callable[..., httpx.Response] = application.revoke_token
        revoke(self._metadata["revocation_endpoint"], token["refresh_token"]).raise_for_status()
        began = time.monotonic()
        while application.get(f"{self._demo.url}/v1/models").status_code != httpx.codes.UNAUTHORIZED:
            if time.monotonic() - began > REVOKED_WITHIN_S:
                raise DemoFailed("the access token still works")
            time.sleep(0.01)
        self._show("refused after", f"{(time.monotonic() - began) * 1000:.0f} ms, though the JWT has not expired")
        self._show("introspection", self._introspect(token["access_token"]))

    def _introspect(self, token: str) -> str:
        demo = self._demo
        with self._client(demo.confidential_client_id, demo.confidential_client_secret) as resource_server:
            told = resource_server.introspect_token(self._metadata["introspection_endpoint"], token).json()
        return json.dumps({name: told[name] for name in ("active", "client_id", "scope") if name in told})

    def _act_for_itself(self) -> None:
        self._begin("Another application has a secret and acts for itself, without a browser")
        demo = self._demo
        with self._client(demo.confidential_client_id, demo.confidential_client_secret, scope="models:read") as service:
            token = service.fetch_token(self._metadata["token_endpoint"], grant_type="client_credentials")
            self._show("access_token", _short(token["access_token"]))
            models = service.get(f"{demo.url}/v1/models").raise_for_status().json()["data"]
        self._show("models", f"{len(models)}, {models[0]['id']} and others")


def _short(secret: str) -> str:
    return f"{secret[:12]}… ({len(secret)} characters)"


def _claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))
