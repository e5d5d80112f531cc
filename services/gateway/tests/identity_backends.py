"""A small authorization server behind real gRPC, that does what a test tells it."""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.auth.v1 import auth_pb2, oauth_pb2, oauth_pb2_grpc, user_context_pb2, user_context_pb2_grpc

from servicekit.errors import ErrorReason, NotFound, QuotaExceeded, Unauthenticated
from servicekit.rpc_client import CREDENTIAL
from servicekit.trust import jwt
from servicekit.trust.user_context import USER_CONTEXT

ISSUER = "http://127.0.0.1:8080"
AUDIENCE = "http://127.0.0.1:8080/api"
PASSWORD = "correct horse battery"
EMAIL = "user@example.com"
SESSION = "session-secret-of-user-1"
PENDING = "rz_pa_waiting"
REDIRECT = "https://app.example.com/callback"
SCOPES = ("models:read", "completions:write", "embeddings:write", "usage:read", "profile:read", "keys:write")


def signing_key(kid: str = "k1") -> jwt.Key:
    """Return a fresh RSA key."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return jwt.private_key(pem, kid=kid, algorithm="RS256")


KEY_1 = signing_key("k1")


def claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of a good access token; None leaves one out."""
    now = int(time.time())
    given = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user-1",
        "client_id": "app-1",
        "scope": " ".join(SCOPES),
        "jti": "jti-1",
        "gid": "grant-1",
        "sid": "sid-1",
        "tier": "pro",
        "iat": now,
        "exp": now + 900,
    }
    return {name: value for name, value in {**given, **changes}.items() if value is not None}


def access_token(key: jwt.Key = KEY_1, typ: str = "at+jwt", **changes: Any) -> str:
    """Return a signed access token."""
    return jwt.sign(claims(**changes), key, typ=typ)


def client(**changes: Any) -> oauth_pb2.Client:
    """Return a public application."""
    given = {"client_id": "app-1", "name": "Примус", "redirect_uris": [REDIRECT], "scopes": SCOPES}
    return oauth_pb2.Client(**{**given, **changes})


# What a gateway asks for every so often, whatever its callers do.
OF_ITSELF: Final = ("GetKeysRequest", "ListRevocationsRequest")


class FakeOAuth(oauth_pb2_grpc.OAuthServiceServicer):
    """Signs with `keys`, knows `grants`, and answers protocol requests with what a test put there."""

    def __init__(self) -> None:
        self.keys = [KEY_1]
        self.grants: dict[str, auth_pb2.Caller] = {}
        self.asked: dict[str, int] = {}
        self.requests: list[Any] = []
        self.error: oauth_pb2.OAuthError | None = None
        self.client = client()
        self.pending_scopes = ["openid", "completions:write", "models:read"]
        self.ui_locales = ""
        self.step = "consent"
        self.revocations: list[oauth_pb2.Revocation] = []
        self.failing: Exception | None = None
        self.decisions: list[Any] = []
        self.dpop_nonces: list[str] = []
        self.thumbprint = ""

    def _note(self, request: Any) -> None:
        name = type(request).__name__
        self.asked[name] = self.asked.get(name, 0) + 1
        if name not in OF_ITSELF:
            self.requests.append(request)
        if self.failing is not None:
            raise self.failing

    def count(self, name: str) -> int:
        """Return how often an RPC was asked."""
        return self.asked.get(f"{name}Request", 0)

    def pending(self, *, logged_in: bool) -> oauth_pb2.Pending:
        user = auth_pb2.User(id="user-1", email=EMAIL) if logged_in else None
        return oauth_pb2.Pending(
            pending_id=PENDING,
            client=self.client,
            scopes=self.pending_scopes,
            user=user,
            ui_locales=self.ui_locales,
        )

    async def Authorize(self, request: Any, context: Any) -> oauth_pb2.AuthorizeResponse:
        self._note(request)
        names = [param.name for param in request.params]
        if request.pending_id and request.pending_id != PENDING:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such request.")
        if not request.pending_id and "client_id" not in names:
            page = oauth_pb2.ErrorPage(error="invalid_client", description="The client_id is missing.")
            return oauth_pb2.AuthorizeResponse(error_page=page)
        if names.count("state") > 1:
            url = f"{REDIRECT}?error=invalid_request&iss=x"
            return oauth_pb2.AuthorizeResponse(redirect_url=url)
        if request.session_id != SESSION:
            return oauth_pb2.AuthorizeResponse(login=self.pending(logged_in=False))
        return oauth_pb2.AuthorizeResponse(consent=self.pending(logged_in=True))

    async def DecideConsent(self, request: Any, context: Any) -> oauth_pb2.DecideConsentResponse:
        self._note(request)
        if request.pending_id != PENDING or request.session_id != SESSION:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such request.")
        self.decisions.append(request)
        outcome = "code=rz_ac_1" if request.approved else "error=access_denied"
        return oauth_pb2.DecideConsentResponse(redirect_url=f"{REDIRECT}?{outcome}&state=a%2Bb&iss={ISSUER}")

    async def Token(self, request: Any, context: Any) -> oauth_pb2.TokenResponse:
        self._note(request)
        if self.error is not None:
            return oauth_pb2.TokenResponse(error=self.error, dpop_nonce="next-nonce" if request.dpop else "")
        token = oauth_pb2.Token(access_token=access_token(), expires_in_s=900, refresh_token="rz_rt_1", scope="a b")
        token.token_type = "DPoP" if request.dpop else "Bearer"
        return oauth_pb2.TokenResponse(token=token, dpop_nonce="next-nonce" if request.dpop else "")

    async def PushAuthorization(self, request: Any, context: Any) -> oauth_pb2.PushAuthorizationResponse:
        self._note(request)
        if self.error is not None:
            return oauth_pb2.PushAuthorizationResponse(error=self.error)
        return oauth_pb2.PushAuthorizationResponse(answer_json='{"request_uri":"urn:x","expires_in":90}')

    async def Revoke(self, request: Any, context: Any) -> oauth_pb2.RevokeResponse:
        self._note(request)
        return oauth_pb2.RevokeResponse(error=self.error)

    async def Introspect(self, request: Any, context: Any) -> oauth_pb2.IntrospectResponse:
        self._note(request)
        if self.error is not None:
            return oauth_pb2.IntrospectResponse(error=self.error)
        return oauth_pb2.IntrospectResponse(claims_json='{"active":false}')

    async def UserInfo(self, request: Any, context: Any) -> oauth_pb2.UserInfoResponse:
        self._note(request)
        if not request.access_token.startswith("eyJ"):
            raise Unauthenticated(ErrorReason.INVALID_TOKEN, "The token is not valid.")
        return oauth_pb2.UserInfoResponse(claims_json='{"sub":"user-1"}', dpop_jkt=self.thumbprint)

    async def RegisterClient(self, request: Any, context: Any) -> oauth_pb2.RegisterClientResponse:
        self._note(request)
        if self.error is not None:
            return oauth_pb2.RegisterClientResponse(error=self.error)
        return oauth_pb2.RegisterClientResponse(client_json='{"client_id":"made"}')

    async def StartDevice(self, request: Any, context: Any) -> oauth_pb2.StartDeviceResponse:
        self._note(request)
        return oauth_pb2.StartDeviceResponse(device_json='{"device_code":"rz_dc_1","user_code":"BCDF-GHJK"}')

    async def FindDevice(self, request: Any, context: Any) -> oauth_pb2.FindDeviceResponse:
        self._note(request)
        if request.user_code == "TOO-MANY":
            raise QuotaExceeded(ErrorReason.RATE_LIMIT_EXCEEDED, "Too many guesses.", retry_after_s=30)
        if request.user_code != "BCDF-GHJK":
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such code.")
        return oauth_pb2.FindDeviceResponse(pending=self.pending(logged_in=True))

    async def DecideDevice(self, request: Any, context: Any) -> oauth_pb2.DecideDeviceResponse:
        self._note(request)
        self.decisions.append(request)
        return oauth_pb2.DecideDeviceResponse()

    async def GetKeys(self, request: Any, context: Any) -> oauth_pb2.GetKeysResponse:
        self._note(request)
        return oauth_pb2.GetKeysResponse(
            jwks_json=msgspec.json.encode({"keys": [jwt.public_member(key) for key in self.keys]}).decode(),
            issuer=ISSUER,
            audience=AUDIENCE,
            algorithms=["RS256"],
            metadata_json=msgspec.json.encode({"issuer": ISSUER, "token_endpoint": f"{ISSUER}/token"}).decode(),
            dpop_nonces=self.dpop_nonces,
        )

    async def GetGrant(self, request: Any, context: Any) -> oauth_pb2.GetGrantResponse:
        self._note(request)
        if request.grant_id not in self.grants:
            raise Unauthenticated(ErrorReason.INVALID_TOKEN, "The grant is over.")
        return oauth_pb2.GetGrantResponse(caller=self.grants[request.grant_id])

    async def ListGrants(self, request: Any, context: Any) -> oauth_pb2.ListGrantsResponse:
        self._note(request)
        budget = auth_pb2.Budget(
            subject="grant:grant-1", period=auth_pb2.BUDGET_PERIOD_MONTH, limit_micro_rub=5 * 10**8
        )
        grant = oauth_pb2.Grant(
            grant_id="grant-1", client=self.client, user_id=request.user_id, scopes=["models:read"], budget=budget
        )
        return oauth_pb2.ListGrantsResponse(grants=[grant])

    async def RevokeGrant(self, request: Any, context: Any) -> oauth_pb2.RevokeGrantResponse:
        self._note(request)
        if request.grant_id != "grant-1":
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such grant.")
        return oauth_pb2.RevokeGrantResponse()

    async def CreateClient(self, request: Any, context: Any) -> oauth_pb2.CreateClientResponse:
        self._note(request)
        made = client(client_id="made", name=request.name, confidential=request.confidential)
        secret = "rz_cs_1" if request.confidential else ""
        return oauth_pb2.CreateClientResponse(client=made, client_secret=secret)

    async def ListClients(self, request: Any, context: Any) -> oauth_pb2.ListClientsResponse:
        self._note(request)
        return oauth_pb2.ListClientsResponse(clients=[self.client])

    async def ChangeClient(self, request: Any, context: Any) -> oauth_pb2.ChangeClientResponse:
        self._note(request)
        self._check_own(request.client_id)
        return oauth_pb2.ChangeClientResponse(client=self.client)

    async def RotateClientSecret(self, request: Any, context: Any) -> oauth_pb2.RotateClientSecretResponse:
        self._note(request)
        self._check_own(request.client_id)
        return oauth_pb2.RotateClientSecretResponse(client=self.client, client_secret="rz_cs_2")

    def _check_own(self, client_id: str) -> None:
        if client_id != "app-1":
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such application.")

    async def DeleteClient(self, request: Any, context: Any) -> oauth_pb2.DeleteClientResponse:
        self._note(request)
        self._check_own(request.client_id)
        return oauth_pb2.DeleteClientResponse()

    async def ListRevocations(self, request: Any, context: Any) -> oauth_pb2.ListRevocationsResponse:
        self._note(request)
        as_of = Timestamp()
        as_of.GetCurrentTime()
        return oauth_pb2.ListRevocationsResponse(revocations=self.revocations, as_of=as_of)


class FakeUserContexts(user_context_pb2_grpc.UserContextServiceServicer):
    """Answers each credential with a context of its own, and counts the questions."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    async def SignUserContext(self, request: Any, context: Any) -> user_context_pb2.SignUserContextResponse:
        (credential,) = [value for name, value in context.invocation_metadata() if name == CREDENTIAL]
        self.asked.append(credential)
        return user_context_pb2.SignUserContextResponse(context=b"signed for " + credential, use_for_s=45)


def shown_context(context: Any) -> bytes:
    """Return the context that a call shows; b"": none."""
    return next((value for name, value in context.invocation_metadata() if name == USER_CONTEXT), b"")
