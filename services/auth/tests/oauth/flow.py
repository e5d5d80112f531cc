"""A browser and a client in one, over the real gRPC server."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from razvilka.auth.v1 import oauth_pb2 as pb

from servicekit import rpc_client
from services.auth.shared.domain.session import Session
from services.auth.shared.domain.tier import Tier
from services.auth.tests.planted_user import plant_user

REDIRECT_URI = "http://127.0.0.1:8399/callback"
WEB_REDIRECT_URI = "https://app.example.ru/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ALL_GRANT_TYPES = (
    "authorization_code",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:device_code",
)
SCOPES = ("openid", "profile", "email", "models:read", "completions:write", "usage:read")
Pairs = Sequence[tuple[str, str]]


class MemorySessions:
    """Login sessions by their secret."""

    def __init__(self) -> None:
        self.by_secret: dict[str, Session] = {}

    def open(self, user_id: str, at: datetime, *, is_admin: bool = False, methods: tuple[str, ...] = ("pwd",)) -> str:
        """Log somebody in; return the cookie's secret."""
        secret = secrets.token_urlsafe(16)
        name = f"s-{secret[:6]}"
        self.by_secret[secret] = Session(name, user_id, "anna@example.ru", at, is_admin, methods, epoch=0)
        return secret

    async def find(self, secret: str) -> Session | None:
        """Return the session."""
        return self.by_secret.get(secret)


@dataclass
class App:
    """A registered application with what proves it."""

    client_id: str
    secret: str = ""
    redirect_uri: str = REDIRECT_URI

    @property
    def credentials(self) -> dict[str, str]:
        """Return what goes into a form."""
        return {"client_id": self.client_id} | ({"client_secret": self.secret} if self.secret else {})

    @property
    def basic(self) -> str:
        """Return the Authorization header."""
        return "Basic " + base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()


@dataclass
class Flow:
    """Short calls to an authorization server."""

    dsn: str
    oauth: Any
    sessions: MemorySessions
    now: Any
    user_id: str = ""
    session: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    dpop_nonce: str = ""

    async def call(self, request: Any) -> Any:
        """Send a request to the RPC of its name."""
        method = getattr(self.oauth, type(request).__name__.removesuffix("Request"))
        return await rpc_client.unary(method, request, deadline_s=60.0)

    async def log_in(self, email: str = "anna@example.ru", *, is_admin: bool = False) -> str:
        """Make a user who is logged in; return the session's secret."""
        self.user_id = await plant_user(self.dsn, email, Tier.PRO)
        self.session = self.sessions.open(self.user_id, self.now(), is_admin=is_admin)
        return self.session

    async def app(self, *, confidential: bool = False, **fields: Any) -> App:
        """Register an application."""
        uri = WEB_REDIRECT_URI if confidential else REDIRECT_URI
        given: dict[str, Any] = {
            "name": "Notes",
            "confidential": confidential,
            "redirect_uris": [uri],
            "scopes": SCOPES,
            "grant_types": ALL_GRANT_TYPES,
            "by_operator": True,
        }
        answer = await self.call(pb.CreateClientRequest(**(given | fields)))
        return App(answer.client.client_id, answer.client_secret, next(iter(answer.client.redirect_uris), uri))

    async def authorize(self, app: App | None, session: str | None = None, **changes: str | None) -> Any:
        """Send an authorization request; None leaves a parameter out."""
        params: dict[str, str | None] = {
            "response_type": "code",
            "client_id": app.client_id if app else None,
            "redirect_uri": app.redirect_uri if app else None,
            "scope": "openid models:read",
            "state": "st4te",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        pairs = [(name, value) for name, value in (params | changes).items() if value is not None]
        return await self.authorize_raw(pairs, session)

    async def authorize_raw(self, pairs: Pairs, session: str | None = None) -> Any:
        """Send an authorization request with exactly these parameters."""
        secret = self.session if session is None else session
        return await self.call(pb.AuthorizeRequest(params=to_params(pairs), session_id=secret, origin=ORIGIN))

    async def decide(self, pending_id: str, *, approved: bool = True, **fields: Any) -> str:
        """Decide; return where the browser goes."""
        given: dict[str, Any] = {"session_id": self.session, "origin": ORIGIN} | fields
        answer = await self.call(pb.DecideConsentRequest(pending_id=pending_id, approved=approved, **given))
        return str(answer.redirect_url)

    async def code(self, app: App, *, allow: dict[str, Any] | None = None, **changes: str | None) -> str:
        """Go all the way to a code."""
        step = await self.authorize(app, **changes)
        url = step.redirect_url or await self.decide(step.consent.pending_id, **(allow or {}))
        return query_of(url)["code"]

    async def token(self, app: App | None, authorization: str = "", dpop: str = "", **form: Any) -> Any:
        """Send a form, and a proof if there is one, to the token endpoint; return the token or the error."""
        credentials = app.credentials if app and not authorization else {}
        pairs = [(name, value) for name, value in ({**credentials, **form}).items() if value is not None]
        return await self.token_raw(pairs, authorization, dpop)

    async def token_raw(self, pairs: Pairs, authorization: str = "", dpop: str = "") -> Any:
        """Send exactly these parameters to the token endpoint."""
        request = pb.TokenRequest(params=to_params(pairs), authorization=authorization, origin=ORIGIN, dpop=dpop)
        answer = await self.call(request)
        self.dpop_nonce = answer.dpop_nonce or self.dpop_nonce
        return answer.token if answer.WhichOneof("answer") == "token" else answer.error

    async def redeem(self, app: App, code: str, **changes: Any) -> Any:
        """Redeem a code."""
        form: dict[str, Any] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": app.redirect_uri,
            "code_verifier": VERIFIER,
        }
        return await self.token(app, **{**form, **changes})

    async def redeem_by_header(self, app: App) -> Any:
        """Go all the way to tokens, with the secret in the Authorization header."""
        form = {"grant_type": "authorization_code", "code": await self.code(app), "code_verifier": VERIFIER}
        return await self.token(None, app.basic, **form)

    async def tokens(self, app: App, **changes: Any) -> Any:
        """Go all the way to tokens."""
        return await self.redeem(app, await self.code(app, **changes))

    async def refresh(self, app: App, refresh_token: str, **changes: Any) -> Any:
        """Trade a refresh token."""
        return await self.token(app, grant_type="refresh_token", refresh_token=refresh_token, **changes)

    async def introspect(self, app: App, token: str) -> dict[str, Any]:
        """Return what introspection says."""
        answer = await self.call(
            pb.IntrospectRequest(params=to_params([("token", token)]), authorization=app.basic, origin=ORIGIN)
        )
        found: dict[str, Any] = json.loads(answer.claims_json)
        return found

    async def revoke(self, app: App, token: str, **form: str) -> Any:
        """Revoke a token; return the answer."""
        pairs = [*app.credentials.items(), ("token", token), *form.items()]
        return await self.call(pb.RevokeRequest(params=to_params(pairs), origin=ORIGIN))


ORIGIN = pb.Origin(ip="192.0.2.7", user_agent="test")


def to_params(pairs: Pairs) -> list[pb.Param]:
    """Return the parameters as a message has them."""
    return [pb.Param(name=name, value=value) for name, value in pairs]


def query_of(url: str) -> dict[str, str]:
    """Return the query of a URL."""
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def claims_of(token: str) -> dict[str, Any]:
    """Return what a token says, unchecked."""
    return _segment(token, 1)


def header_of(token: str) -> dict[str, Any]:
    """Return a token's header, unchecked."""
    return _segment(token, 0)


def _segment(token: str, number: int) -> dict[str, Any]:
    part = token.split(".")[number]
    read: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return read
