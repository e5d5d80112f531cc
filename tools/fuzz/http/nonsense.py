"""Requests that no honest client sends, made of honest ones; the same seed makes the same."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus

KINDS: Final = ("bytes", "headers", "json", "forms", "oauth")
JSON_DOORS: Final[dict[tuple[str, str], Any]] = {
    ("POST", "/v1/chat/completions"): {
        "model": "yandexgpt", "messages": [{"role": "user", "content": "Привет"}], "temperature": 0.3, "stream": False,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}], "stop": ["a"],
    },
    ("POST", "/v1/completions"): {"model": "yandexgpt", "prompt": ["a", "b"], "n": 1, "max_tokens": 5},
    ("POST", "/v1/embeddings"): {"model": "text-embeddings", "input": ["a", "b"], "dimensions": 3},
    ("POST", "/v1/keys"): {"name": "CI", "scopes": ["models:read"], "budget": {"limit_micro_rub": 5, "period": "day"}},
    ("POST", "/v1/keys/key-1/rotate"): {"overlap_s": 60},
    ("PATCH", "/v1/keys/key-1"): {"name": "CI", "expires_at": "2030-01-31T00:00:00Z", "cache": {"mode": "on"}},
    ("PATCH", "/v1/clients/app-1"): {"name": "CLI", "redirect_uris": ["https://a.example/cb"]},
    ("POST", "/v1/clients"): {"name": "CLI", "redirect_uris": ["https://a.example/cb"], "confidential": True},
    ("PATCH", "/v1/users/me"): {"name": "Маша", "language": "en"},
    ("DELETE", "/v1/users/me"): {"password": "wrong"},
    ("POST", "/register"): {"client_name": "a", "redirect_uris": ["https://a.example/cb"]},
    ("POST", "/csp-reports"): {"csp-report": {"violated-directive": "img-src"}},
}  # fmt: skip
FORM_DOORS: Final = ("/login", "/registration", "/forgot-password", "/reset-password", "/console/keys/new",
                     "/console/keys/a", "/console/budgets/new", "/console/webhooks/new", "/console/reports",
                     "/console/profile", "/authorize/consent", "/device", "/logout", "/nothing")  # fmt: skip
OAUTH_DOORS: Final = ("/token", "/oauth/token", "/par", "/revoke", "/introspect", "/device_authorization", "/authorize")
READABLE: Final = ("/v1/models", "/v1/models/yandexgpt", "/v1/auth/key", "/v1/generation?id=a", "/v1/requests/a",
                   "/v1/keys?limit=5&page=a", "/health", "/ready", "/docs", "/openapi.json", "/userinfo", "/login",
                   "/.well-known/openid-configuration", "/console", "/v1/sessions", "/v1/grants")  # fmt: skip
FIELDS: Final = ("grant_type", "code", "client_id", "client_secret", "redirect_uri", "scope", "state", "code_verifier",
                 "refresh_token", "username", "password", "email", "csrf", "pending_id", "token", "decision",
                 "budget", "scopes", "limit", "next",
                 "user_code", "response_type", "code_challenge", "device_code")  # fmt: skip
TEXTS: Final = (
    "",
    "a",
    "\x00",
    "\r\nx: y",
    "é" * 50,
    "a" * 5000,
    "%00",
    "../../etc/passwd",
    "' OR 1=1 --",
    "\U0001f469",
    '"><script>',
    "authorization_code",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:device_code",
    "https://a.example/cb",
    "javascript:alert(1)",
    "//evil",
    "openid profile",
    "\u202e",
    "-1",
    "1e999",
)
RAW_VALUES: Final = (
    "NaN",
    "-Infinity",
    "1e999",
    "1" * 400,
    "1" * 9000,
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\u0000"',
    "null",
    "true",
    "[]",
    "{}",
    '""',
    "-0",
    "0.1e-400",
    "[" * 80 + "]" * 80,
    '{"a":' * 70 + "1" + "}" * 70,
    '"' + "x" * 70_000 + '"',
    "[" + "1," * 40_000 + "1]",
    "[" + "1," * 28_000 + "NaN]",
    "{" + "".join(f'"{number:x}":0,' for number in range(6000)) + '"176f":0}',
    "{" + "".join(f'"{number}":0,' for number in range(14_000)) + '"13999":0}',
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    "[{}" + ",{}" * 3000 + "]",
    '"\\x"',
    '"\n"',
    "'a'",
    "",
    ",",
    "//",
    '"' + '\\"' * 50_000 + '"',
)
HEADERS: Final = (
    b"host: b", b"host: a/b", b"host:", b"content-length: 5", b"content-length: -1", b"content-length: 99999999999",
    b"content-length: 1, 1", b"transfer-encoding: chunked", b"transfer-encoding: gzip, chunked", b"upgrade: h2c",
    b"transfer-encoding : chunked", b"connection: upgrade", b"connection: close, x", b"expect: 100-continue",
    b"expect: 200-maybe", b"content-encoding: gzip", b"content-type: \xff", b"authorization: Bearer \xff\xfe",
    b"authorization: Basic YTpi", b"authorization: Bearer a", b"cookie: razvilka_session=\xff", b"origin: null",
    b"x-forwarded-for: 1.2.3.4, ::1, nonsense", b"traceparent: 00-" + b"f" * 32 + b"-" + b"0" * 16 + b"-01",
    b"traceparent: \xe9", b"tracestate: " + b"a=b," * 100, b"accept-language: ru;q=nan, en;q=1e999,,;", b" folded: x",
    b"x: " + b"a" * 20_000, b"range: bytes=0-", b"if-none-match: *", b"te: trailers", b": empty", b"x\x00: y",
    b"sec-fetch-site: cross-site", b"user-agent: " + bytes(range(128, 256)), b"content-type: application/json; a=\x01",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Nonsense:
    """A request as bytes, and of which kind it is."""

    kind: str
    sent: bytes


class Maker:
    """Makes one request after the other."""

    def __init__(self, seed: int, key: str) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - chooses nonsense
        self._key = key
        self._makers: dict[str, Callable[[], bytes]] = {
            "bytes": self._bytes,
            "headers": self._headers,
            "json": self._json,
            "forms": self._form,
            "oauth": self._oauth,
        }

    def next(self) -> Nonsense:
        """Return another request."""
        kind = self._rng.choice(KINDS)
        return Nonsense(kind, self._makers[kind]())

    def _bytes(self) -> bytes:
        """Mistype an honest request."""
        honest = bytearray(self._rng.choice((self._json, self._read, self._form))()[:4000])
        for _ in range(self._rng.randint(1, 6)):
            at = self._rng.randrange(len(honest) + 1)
            piece = self._rng.choice(
                (b"\r\n", b"\x00", b"\xff", b" ", b":", b"\n", b"0", b"\r\n\r\n", b"GET / HTTP/1.1\r\n")
            )
            cut = at + self._rng.choice((0, 0, 1, 8, 100))
            honest[at:cut] = piece * self._rng.choice((1, 1, 2, 50))
        return bytes(honest)

    def _headers(self) -> bytes:
        """Say strange things before an honest body."""
        extra = self._rng.sample(HEADERS, self._rng.randint(1, 4))
        method = self._rng.choice(("GET", "HEAD", "POST", "OPTIONS", "PUT", "TRACE", "DELETE", "BREW"))
        target = self._rng.choice((*READABLE, *FORM_DOORS, "*", "http://a/health", "//", "/%ff%00", "/" + "a" * 9000))
        return self._request(method, target, self._rng.choice((b"", b"hello", b"{}")), extra)

    def _read(self) -> bytes:
        return self._request("GET", self._rng.choice(READABLE), b"", [])

    def _json(self) -> bytes:
        """Replace a value, somewhere, by one that should not be there."""
        (method, path), body = self._rng.choice(list(JSON_DOORS.items()))
        text = json.dumps(body, ensure_ascii=self._rng.random() < 0.5)
        for _ in range(self._rng.randint(0, 3)):
            text = self._changed(text)
        kind = b"application/csp-report" if path == "/csp-reports" else b"application/json"
        return self._request(method, path, text.encode("utf-8", "surrogatepass"), [b"content-type: " + kind])

    def _changed(self, text: str) -> str:
        at = self._rng.choice([index for index, char in enumerate(text) if char in ':,[{"'] or [0])
        value = self._rng.choice(RAW_VALUES)
        if self._rng.random() < 0.3:
            return text[:at] + value + text[at:]
        end = min((found for mark in ",]}" if (found := text.find(mark, at + 1)) > 0), default=len(text))
        return text[: at + 1] + value + text[end:]

    def _params(self) -> bytes:
        names = self._rng.choices(FIELDS, k=self._rng.choice((0, 1, 3, 8, 300)))
        pairs = [f"{name}={quote_plus(self._rng.choice(TEXTS))}" for name in names]
        text = self._rng.choice(("&", "&", "&", ";", "&&")).join(pairs).encode()
        return text + self._rng.choice((b"", b"", b"", b"&a=%ff", b"&=", b"%", b"\x00"))

    def _form(self) -> bytes:
        path = self._rng.choice(FORM_DOORS)
        return self._request("POST", path, self._params(), [b"content-type: application/x-www-form-urlencoded"])

    def _oauth(self) -> bytes:
        path = self._rng.choice(OAUTH_DOORS)
        if path == "/authorize" or self._rng.random() < 0.1:
            return self._request("GET", f"{path}?{self._params().decode('latin-1')}", b"", [])
        extra = [b"content-type: application/x-www-form-urlencoded"]
        if self._rng.random() < 0.3:
            extra.append(self._rng.choice(HEADERS))
        return self._request("POST", path, self._params(), extra)

    def _request(self, method: str, target: str, body: bytes, extra: list[bytes]) -> bytes:
        lines = [f"{method} {target} HTTP/1.1".encode("latin-1"), b"host: a"]
        if self._rng.random() < 0.9:
            lines.append(b"authorization: Bearer " + self._key.encode())
        if body or method == "POST":
            lines.append(b"content-length: %d" % len(body))
        return b"\r\n".join([*lines, *extra, b"", body])
