"""GigaChat tokens: who may have one, how long it lives, and the OAuth endpoint."""

import base64
import binascii
import re
import secrets
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

import msgspec

from emulator.core import Call, Core, Surface
from emulator.wire.replies import RefusalError, Reply

_UUID4: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)
# Each scope and how many calls at once its keys may make.
SCOPES: Final = {"GIGACHAT_API_PERS": 1, "GIGACHAT_API_B2B": 10, "GIGACHAT_API_CORP": 10}


@dataclass(slots=True)
class Token:
    """A token given out."""

    credential: str
    scope: str
    expires_at: float


class GigaChatAccess:
    """Authorization keys and tokens that are good now."""

    def __init__(self, core: Core) -> None:
        """Take the first credentials from the settings."""
        self._core = core
        self.credentials = dict(core.settings.gigachat_credentials)
        self.users = dict(core.settings.gigachat_users)
        self.packages = dict(core.settings.gigachat_packages)
        self._tokens: dict[str, Token] = {}

    def issue(self, credential: str, scope: str) -> tuple[str, float]:
        """Return a new token and its end, Unix seconds."""
        token = "eyJ" + secrets.token_urlsafe(96)
        expires_at = self._core.now() + self._core.settings.gigachat_token_lifetime_s
        self._tokens[token] = Token(credential, scope, expires_at)
        if len(self._tokens) > 10_000:
            self._drop_old()
        return token, expires_at

    def find(self, token: str) -> Token | None:
        """Return what is known of the token; it may be expired."""
        return self._tokens.get(token)

    def revoke(self, credential: str) -> None:
        """Forget a credential and every token it got."""
        self.credentials.pop(credential, None)
        self.users.pop(credential, None)
        self._tokens = {text: token for text, token in self._tokens.items() if token.credential != credential}

    def expire_tokens(self) -> int:
        """End all tokens now; return how many there were."""
        for token in self._tokens.values():
            token.expires_at = 0.0
        return len(self._tokens)

    def _drop_old(self) -> None:
        now = self._core.now()
        self._tokens = {text: token for text, token in self._tokens.items() if token.expires_at > now}


class GigaChatAuthSurface(Surface):
    """`POST /api/v2/oauth`."""

    provider = "gigachat"

    def __init__(self, core: Core, access: GigaChatAccess) -> None:
        """Register the one route."""
        super().__init__(core)
        self.access = access
        self.routes = {"POST /api/v2/oauth": ("token", self.token)}

    def error(self, call: Call, code: int, message: str | None = None) -> Reply:
        """Return an OAuth error; the envelope has `code`, not `status`."""
        body = {"code": 6 if code == 401 else code, "message": message or "credentials doesn't match db data"}
        return Reply([msgspec.json.encode(body)], code)

    def bad_json(self, call: Call) -> Reply:
        """Never happens: the body is a form."""
        return self.error(call, 400, "bad request")

    def unknown_path(self, call: Call) -> Reply:
        """Answer as the balancer does."""
        return html_403()

    async def token(self, call: Call) -> Reply:
        """Give a token for a key and a scope that belongs to it."""
        call.entry.request_id = call.received.header("rquid")
        fault = self.choose_fault(call)
        quotas = self.core.quotas
        limit = quotas.limit("gigachat_token_calls_per_s")
        if not quotas.window("gigachat-oauth", 1.0).enter(self.core.now(), limit):
            raise RefusalError(Reply([b'{"status":429,"message":"Too many requests"}'], 429))
        credential, scope = self._checked(call)
        token, expires_at = self.access.issue(credential, scope)
        seconds = self.core.settings.gigachat_expires_in_seconds
        body = {"access_token": token, "expires_at": int(expires_at) if seconds else int(expires_at * 1000)}
        headers = b"server: SynGX\r\ncache-control: no-cache, no-store, max-age=0, must-revalidate\r\n"
        latency_s = self.core.latency_s(None, fault) if fault is not None else 0.0
        return Reply([msgspec.json.encode(body)], headers=headers, fault=fault, latency_s=latency_s)

    def _checked(self, call: Call) -> tuple[str, str]:
        """Return credential and scope, or refuse in the order in which the provider looks at them."""
        if not _UUID4.fullmatch(call.received.header("rquid") or ""):
            raise self._refusal(400, 3, "RqUID is missing or is not a UUID version 4")
        credential = decoded_basic(call.received.header("authorization"))
        if credential is None:
            raise self._refusal(400, 4, "Can't decode 'Authorization' header")
        call.note_credential(credential)
        form = parse_qs(call.received.body.decode("latin-1"), keep_blank_values=True)
        scope = form.get("scope", [""])[0]
        if not scope:
            raise self._refusal(400, 5, "scope is empty")
        if credential not in self.access.credentials:
            raise self._refusal(401, 6, "credentials doesn't match db data")
        if scope not in SCOPES:
            raise self._refusal(400, 1, "scope data format invalid")
        if scope != self.access.credentials[credential]:
            raise self._refusal(400, 7, "scope from db not fully includes consumed scope")
        return credential, scope

    def _refusal(self, status: int, code: int, message: str) -> RefusalError:
        return RefusalError(Reply([msgspec.json.encode({"code": code, "message": message})], status))


def decoded_basic(authorization: str | None) -> str | None:
    """Return the key of `Basic <key>` when it is base64, else None."""
    scheme, _, key = (authorization or "").partition(" ")
    if scheme.lower() != "basic" or not key:
        return None
    try:
        base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        return None
    return key


def html_403() -> Reply:
    """Return what the balancer says to a path it does not know: HTML, not JSON."""
    body = b"<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n<center><h1>403 Forbidden</h1></center>\r\n</body>\r\n</html>\r\n"  # noqa: E501
    return Reply([body], 403, b"text/html", b"server: SynGX\r\n")
