"""Cookies of the pages: never readable by scripts, never sent along by other sites' forms."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

SESSION: Final = "session"
# A random name of the browser: forms are bound to it before anybody is logged in.
BROWSER: Final = "browser"
LANGUAGE: Final = "language"
EXTERNAL: Final = "external"
LONG_S: Final = 400 * 86_400
_VALUE: Final = re.compile(r"[A-Za-z0-9._~+/=-]{1,4000}")


class CookieJar:
    """Reads and writes cookies. With https their names carry `__Host-`, which no subdomain can forge."""

    def __init__(self, *, secure: bool) -> None:
        self._secure = secure

    def name(self, cookie: str) -> str:
        """Return the name as browsers see it."""
        return f"{'__Host-' if self._secure else ''}razvilka_{cookie}"

    def read(self, headers: Iterable[tuple[bytes, bytes]], cookie: str) -> str:
        """Return the value; "" when it is absent, there twice, or nothing we ever set."""
        wanted = self.name(cookie)
        values = [
            value
            for name, header in headers
            if name == b"cookie"
            for given, value in _pairs(header.decode("latin-1"))
            if given == wanted
        ]
        return values[0] if len(values) == 1 and _VALUE.fullmatch(values[0]) else ""

    def write(self, cookie: str, value: str, *, max_age_s: int | None = None) -> bytes:
        """Return the header that sets a cookie; without an age it ends with the browser, with "" it ends now."""
        if value and not _VALUE.fullmatch(value):
            raise ValueError("a cookie's value must need no quoting")
        parts = [f"{self.name(cookie)}={value}", "Path=/", "HttpOnly", "SameSite=Lax"]
        if not value:
            parts.append("Max-Age=0")
        elif max_age_s is not None:
            parts.append(f"Max-Age={max_age_s}")
        if self._secure:
            parts.append("Secure")
        return "; ".join(parts).encode("ascii")


def _pairs(header: str) -> Iterable[tuple[str, str]]:
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        yield name, value
