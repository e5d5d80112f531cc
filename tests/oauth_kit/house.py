"""The authorization server as tests of its outside meet it: people, browsers and applications of the running suite."""

import contextlib
from collections.abc import Iterator

import httpx

from tests.oauth_kit.application import Application
from tests.oauth_kit.people import Person, seed_person
from tools.accounts.demo import REDIRECT_URI
from tools.browser.browser import Browser, any_address
from tools.stack.running_stack import RunningStack

SCOPES = "models:read completions:write embeddings:write usage:read keys:read keys:write profile:read openid email"


class House:
    """One running suite."""

    def __init__(self, stack: RunningStack) -> None:
        self.stack = stack
        self.url = stack.url
        self.http = self.client()

    def client(self, url: str = "", *, address: str = "") -> httpx.Client:
        """Return an HTTP client at a gateway that follows nothing."""
        headers = {"x-forwarded-for": address or any_address()}
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
        return httpx.Client(base_url=url or self.url, headers=headers, trust_env=False, timeout=30, limits=limits)

    def person(self) -> Person:
        """Return somebody whose account stays as it is; of a suite that was started elsewhere the demo person."""
        if self.stack.own is None and self.stack.operator is None:
            demo = self.stack.demo
            return Person(demo.demo_user_id, demo.demo_email, demo.demo_password)
        return self.new_person()

    def new_person(self) -> Person:
        """Make somebody; skip the test where that cannot be."""
        return seed_person(self.stack.auth)

    @contextlib.contextmanager
    def browser(self, person: Person | None = None, *, url: str = "", language: str = "en") -> Iterator[Browser]:
        """Yield a browser in which `person` is logged in."""
        with Browser(url or self.url, language=language) as made:
            if person is not None:
                assert made.log_in(person).status_code == 303
            yield made

    def public(self) -> Application:
        """Return the demo's public client."""
        return Application(self.http, self.stack.demo.public_client_id, REDIRECT_URI)

    def confidential(self) -> Application:
        """Return the demo's confidential client."""
        demo = self.stack.demo
        return Application(self.http, demo.confidential_client_id, REDIRECT_URI, demo.confidential_client_secret)

    def register(
        self, *, redirect_uri: str = "http://127.0.0.1:8400/cb", confidential: bool = False, scope: str = SCOPES
    ) -> Application:
        """Let an application register itself."""
        asked = {
            "client_name": "Registered by a test",
            "redirect_uris": [redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "client_secret_basic" if confidential else "none",
            "scope": scope,
        }
        headers = {"authorization": f"Bearer {self.stack.demo.registration_token}"}
        answer = self.http.post("/register", json=asked, headers=headers)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        return Application(self.http, made["client_id"], redirect_uri, made.get("client_secret", ""))
