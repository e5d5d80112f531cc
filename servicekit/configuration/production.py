"""Settings that are fine on one machine but refused in production: one line for each fault, with the remedy."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Final, Protocol, runtime_checkable
from urllib.parse import parse_qs, unquote, urlsplit

from servicekit.outbound.store_addresses import postgres_hosts
from servicekit.settings import PostgresSettings, RedisSettings, TlsSettings

# Of a random text of 32 hexadecimal digits: 116 at most, and seldom under 105.
SECRET_BITS: Final = 90.0
PASSWORD_BITS: Final = 45.0
# The passwords of docker-compose.yml and of the examples begin so.
DEMO_SECRETS: Final = ("local-", "change-me", "changeme")
RANDOM_REMEDY: Final = "make one with: openssl rand -hex 32"
VERIFIED: Final = frozenset({"verify-ca", "verify-full"})
# Options of redis-py's addresses, with what each is unless it is given.
REDIS_VERIFICATION: Final = {"ssl_cert_reqs": "required", "ssl_check_hostname": "true"}


@runtime_checkable
class Refusing(Protocol):
    """Settings that list their own faults for production."""

    def production_faults(self) -> Iterator[str]:
        """Yield a line for each setting that production refuses: variable, problem, remedy."""
        ...


def bits(secret: str) -> float:
    """Return an upper bound of a text's entropy in bits; repetition adds nothing."""
    if not secret:
        return 0.0
    once = secret[: _period(secret)]
    shares = [count / len(once) for count in Counter(once).values()]
    return -len(once) * sum(share * math.log2(share) for share in shares)


def _period(text: str) -> int:
    """Return the length of the shortest prefix whose repetition is the text; its own length if nothing repeats."""
    border = [0] * len(text)
    for place in range(1, len(text)):
        known = border[place - 1]
        while known and text[place] != text[known]:
            known = border[known - 1]
        border[place] = known + 1 if text[place] == text[known] else 0
    return len(text) - border[-1]


def is_weak(secret: str, at_least_bits: float = SECRET_BITS) -> bool:
    """Tell whether a secret is one of the examples, or could be guessed."""
    return secret.lower().startswith(DEMO_SECRETS) or bits(secret) < at_least_bits


def secret_faults(variable: str, secret: str) -> Iterator[str]:
    """Yield the faults of a secret that we use to encrypt or sign."""
    if is_weak(secret):
        yield f"{variable}: this secret is a demonstration's or too simple; {RANDOM_REMEDY}"


def tls_faults(prefix: str, tls: TlsSettings) -> Iterator[str]:
    """Yield the faults of the mutual TLS between services."""
    if tls.dir is None:
        yield f"{prefix}TLS_DIR: services would talk in plaintext; name the folder with tls.crt, tls.key and ca.crt"


def postgres_faults(prefix: str, postgres: PostgresSettings) -> Iterator[str]:
    """Yield the faults of the connection to PostgreSQL."""
    parts = urlsplit(postgres.dsn.get_secret_value())
    # A Unix socket is a folder of this machine, and so is nothing; a host may be named behind the question mark, too.
    if all(host.startswith("/") for host in postgres_hosts(postgres.dsn.get_secret_value())):
        return
    mode = parse_qs(parts.query).get("sslmode", ["prefer"])[-1]
    if mode not in VERIFIED:
        yield f"{prefix}POSTGRES_DSN: sslmode={mode} can be overheard; add ?sslmode=verify-full (and sslrootcert=...)"
    if is_weak(unquote(parts.password or ""), PASSWORD_BITS):
        yield f"{prefix}POSTGRES_DSN: the password is a demonstration's or too simple; {RANDOM_REMEDY}"


def redis_faults(prefix: str, redis: RedisSettings) -> Iterator[str]:
    """Yield the faults of the connection to Redis."""
    parts = urlsplit(redis.url.get_secret_value())
    if parts.scheme == "unix":
        return
    if parts.scheme != "rediss":
        yield f"{prefix}REDIS_URL: {parts.scheme}:// can be overheard; use rediss:// (and {prefix}REDIS_CA)"
    for option, verified in REDIS_VERIFICATION.items():
        given = parse_qs(parts.query).get(option, [verified])[-1]
        if given.lower() != verified:
            yield f"{prefix}REDIS_URL: {option}={given} can be overheard; leave it out (and set {prefix}REDIS_CA)"
    if parts.username in (None, "", "default"):
        yield f"{prefix}REDIS_URL: name a user of this service's own, as in deploy/redis/users.acl"
    if is_weak(unquote(parts.password or ""), PASSWORD_BITS):
        yield f"{prefix}REDIS_URL: the password is a demonstration's or too simple; {RANDOM_REMEDY}"
