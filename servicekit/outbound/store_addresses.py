"""Checks addresses of PostgreSQL and Redis at the start: a malformed one would later look like a store that is down.

Messages do not repeat the address, which contains a password.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit

SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# Of a password that stands in an address as it is, these end or divide what is around them.
ESCAPED: Final = "in a password write / ? # @ : % as %2F %3F %23 %40 %3A %25"
_POSTGRES: Final = "is no postgresql://role:password@host:port/database"
_REDIS: Final = "is no rediss://user:password@host:port/db, redis:// or unix:///path.sock"
_PORTS: Final = range(1, 65_536)


def postgres_hosts(dsn: str) -> list[str]:
    """Return the hosts in an address; a Unix socket's folder begins with a slash."""
    parts = urlsplit(dsn)
    named = _hosts_and_ports(parts) or parse_qs(parts.query).get("host", [""])[-1]
    return [_divided(each)[0] for each in named.split(",") if each]


def postgres_problem(dsn: str) -> str:
    """Return what is wrong with an address of PostgreSQL; empty if it is well-formed."""
    try:
        parts = urlsplit(dsn)
    except ValueError:
        return f"{_POSTGRES}; {ESCAPED}"
    if not dsn.startswith(("postgresql://", "postgres://")):
        return _POSTGRES
    query = parse_qs(parts.query, keep_blank_values=True)
    ports = [port for each in _hosts_and_ports(parts).split(",") if (port := _divided(each)[1]) is not None]
    ports += [port for listed in query.get("port", []) for port in listed.split(",")]
    mode = query.get("sslmode", ["prefer"])[-1]
    if parts.fragment or parts.netloc.count("@") > 1 or not all(map(_is_port, ports)):
        return f"has no port from 1 to 65535 where one is; {ESCAPED}"
    if mode not in SSL_MODES:
        return f"sslmode={mode} is none of {', '.join(SSL_MODES)}"
    return ""


def redis_problem(url: str) -> str:
    """Return what is wrong with an address of Redis; empty if it is well-formed."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{_REDIS}; {ESCAPED}"
    if url.startswith("unix://"):
        return "" if parts.path else _REDIS
    if not url.startswith(("redis://", "rediss://")):
        return _REDIS
    _, port = _divided(_hosts_and_ports(parts))
    if parts.fragment or (port is not None and not _is_port(port)):
        return f"has no port from 1 to 65535 where one is; {ESCAPED}"
    database = parts.path.strip("/")
    if database and not database.isdecimal():
        return f"ends in /{database}, which is no number of a database; {ESCAPED}"
    return ""


def _hosts_and_ports(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _divided(host_and_port: str) -> tuple[str, str | None]:
    """Return the host, without the brackets of IPv6, and the port, None if there is none."""
    if host_and_port.startswith("/"):
        return host_and_port, None
    before, bracket, behind = host_and_port.rpartition("]")
    host, colon, port = behind.partition(":")
    return (before.removeprefix("[") if bracket else host), port if colon else None


def _is_port(text: str) -> bool:
    # redis-py and asyncpg take their own where there is none behind the colon.
    return not text or (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) in _PORTS)
