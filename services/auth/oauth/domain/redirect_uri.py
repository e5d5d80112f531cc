"""Redirect URIs: compared byte for byte; only the port of a loopback address may vary (RFC 8252 7.3)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, urlsplit

MAX_LENGTH: Final = 2048
# RFC 3986 characters and nothing else: no blank, CR, LF, NUL, backslash, quote or letter outside ASCII.
URI: Final = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]+")
LOOPBACK: Final = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::([0-9]{1,5}))?((?:[/?].*)?)")
# RFC 8252 7.1: a scheme of one's own is a reversed domain name, so it has a dot; it can't be javascript or data.
PRIVATE_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def is_registered(given: str, registered: Iterable[str]) -> bool:
    """Tell whether this is one of the registered URIs."""
    if len(given) > MAX_LENGTH:
        return False
    return any(given == uri or _differ_in_loopback_port(given, uri) for uri in registered)


def _differ_in_loopback_port(given: str, registered: str) -> bool:
    ours, theirs = LOOPBACK.fullmatch(registered), LOOPBACK.fullmatch(given)
    if ours is None or theirs is None or not URI.fullmatch(given):
        return False
    port = theirs[2]
    if port is not None and not 1 <= int(port) <= 65_535:
        return False
    return (ours[1], ours[3]) == (theirs[1], theirs[3])


def problem_with(uri: str, *, private_schemes: bool) -> str | None:
    """Return why this URI may not be registered; None when it may.

    Args:
        uri: what an application wants to register.
        private_schemes: whether a native app's own scheme is possible.
    """
    if not 1 <= len(uri) <= MAX_LENGTH or not URI.fullmatch(uri):
        return "A redirect URI has 1 to 2048 characters of RFC 3986 and no fragment."
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return "This redirect URI is malformed."
    if "@" in parts.netloc or port == 0:
        return "A redirect URI must not have user information or port 0."
    if LOOPBACK.fullmatch(uri):
        return None
    if uri.startswith("https://"):
        return None if _is_public_host(parts.hostname or "") else "The host of this redirect URI is malformed."
    scheme = uri.partition(":")[0]
    if private_schemes and PRIVATE_SCHEME.fullmatch(scheme):
        return None
    return "A redirect URI must be https, or http to 127.0.0.1 or [::1]."


def _is_public_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return HOST.fullmatch(host) is not None and len(host) <= 253
    return True


def with_params(uri: str, params: Iterable[tuple[str, str]]) -> str:
    """Return the URI with parameters added; what it has stays as it is (RFC 6749 3.1.2), each value byte for byte."""
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in params)
    return f"{uri}{'&' if '?' in uri else '?'}{query}"
