"""An OpenID provider over real HTTP, which checks its client strictly and can be told to lie."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import uvicorn
from fastapi import FastAPI, Form, Header, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

CLIENT_ID = "razvilka-at-test"
CLIENT_SECRET = "a secret & with + signs"


@dataclass
class OidcServer:
    """A provider whose person and whose lies a test sets.

    Args:
        person: the claims of who is logged in there.
        lies: claims of the ID token that are replaced; None takes one out.
        now_s: what time it is there.
        forge: how the ID token is signed wrongly, if at all.
    """

    issuer: str = ""
    person: dict[str, Any] = field(default_factory=lambda: {"sub": "248289761001"})
    lies: dict[str, Any] = field(default_factory=dict)
    forge: str = ""
    userinfo: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    redeemed: int = 0
    # The service's clock in tests stands at noon of 2026-11-23.
    now_s: int = 1795435200
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    key: Any = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "k1", "use": "sig"}))

    def app(self) -> FastAPI:
        """Return the provider as an application."""
        app = FastAPI()
        app.get("/.well-known/openid-configuration")(self.metadata)
        app.get("/authorize")(self.authorize)
        app.post("/token")(self.token)
        app.get("/jwks")(self.jwks)
        app.get("/userinfo")(self.tell)
        return app

    async def metadata(self) -> dict[str, Any]:
        """Say what we are."""
        told = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "response_types_supported": ["code"],
        }
        return told | self.discovery

    async def jwks(self) -> dict[str, Any]:
        """Show the public key."""
        return {"keys": [self.key.as_dict(private=False)]}

    async def authorize(self, request: Request) -> Response:
        """Log the one person in at once."""
        asked = dict(request.query_params)
        good = asked.get("client_id") == CLIENT_ID and asked.get("response_type") == "code"
        if not good or asked.get("code_challenge_method") != "S256" or len(asked.get("code_challenge", "")) != 43:
            return JSONResponse({"error": "invalid_request"}, 400)
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        back = {"code": code, "state": asked["state"], "iss": self.issuer}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", 302)

    async def token(
        self,
        code: str = Form(),
        code_verifier: str = Form(),
        redirect_uri: str = Form(),
        authorization: str = Header(),
    ) -> Response:
        """Redeem a code once, for who asked for it."""
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        asked = self.codes.pop(code, None)
        challenge = _encoded(hashlib.sha256(code_verifier.encode()).digest())
        if authorization != f"Basic {basic}" or asked is None or asked["code_challenge"] != challenge:
            return JSONResponse({"error": "invalid_grant"}, 400)
        if asked["redirect_uri"] != redirect_uri:
            return JSONResponse({"error": "invalid_grant"}, 400)
        self.redeemed += 1
        answer = {"access_token": "at-1", "token_type": "Bearer", "expires_in": 60, "id_token": self._id_token(asked)}
        return JSONResponse(answer)

    async def tell(self, authorization: str = Header()) -> Response:
        """Say who it is."""
        if authorization != "Bearer at-1":
            return JSONResponse({}, 401)
        return JSONResponse(self.userinfo or self.person)

    def _id_token(self, asked: dict[str, str]) -> str:
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": self.now_s,
            "exp": self.now_s + 300,
            "nonce": asked.get("nonce"),
            **self.person,
            **self.lies,
        }
        return self._sign({name: value for name, value in claims.items() if value is not None})

    def _sign(self, claims: dict[str, Any]) -> str:
        if self.forge == "none":
            return _joined({"alg": "none"}, claims) + "."
        secrets_by_name = {
            "hmac with the public key": self.key.as_pem(private=False),
            "hmac with the client secret": CLIENT_SECRET.encode(),
        }
        if self.forge in secrets_by_name:
            text = _joined({"alg": "HS256", "kid": "k1"}, claims)
            return f"{text}.{_encoded(hmac.digest(secrets_by_name[self.forge], text.encode(), 'sha256'))}"
        if self.forge == "another key, same kid":
            return jwt.encode({"alg": "ES256", "kid": "k1"}, claims, ECKey.generate_key("P-256"))
        if self.forge == "own key in the header":
            other = RSAKey.generate_key(2048)
            header = {"alg": "RS256", "jwk": other.as_dict(private=False)}
            return jwt.encode(header, claims, other, registry=JWSRegistry(algorithms=["RS256"]))
        if self.forge == "broken":
            raise RuntimeError("the provider is broken")
        if self.forge == "garbage":
            return "garbage"
        return jwt.encode({"alg": "ES256", "kid": "k1"}, claims, self.key)


def _joined(head: dict[str, Any], body: dict[str, Any]) -> str:
    return ".".join(_encoded(json.dumps(part).encode()) for part in (head, body))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class RunningOidcServer:
    """The provider on a port of its own."""

    def __init__(self, port: int) -> None:
        self.provider = OidcServer(issuer=f"http://127.0.0.1:{port}")
        config = uvicorn.Config(self.provider.app(), host="127.0.0.1", port=port, log_level="error", lifespan="off")
        self._server = uvicorn.Server(config)

    async def __aenter__(self) -> OidcServer:
        self._task = asyncio.ensure_future(self._server.serve())
        async with asyncio.timeout(60):
            while not self._server.started:
                await asyncio.sleep(0.01)
        return self.provider

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        await self._task
