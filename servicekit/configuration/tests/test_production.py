"""What counts as a secret, and which ways to the stores production takes."""

import secrets

import pytest
from pydantic import SecretStr

from servicekit.configuration.production import is_weak, postgres_faults, redis_faults
from servicekit.settings import PostgresSettings, RedisSettings


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "a" * 64,
        "abc" * 20,
        "local-pepper-local-pepper-local-pepper",
        "local-signing-local-signing-local-signing",
        "local-registration-token",
        "change-me-change-me-change-me-change-me",
        "LOCAL-8f14e45fceea167a5a36dedd4bea2543",
        "password password password password",
        "correct horse",
    ],
)
def test_what_could_be_guessed_is_weak(secret: str) -> None:
    """The defaults of Compose, repetition and short words."""
    assert is_weak(secret)


def test_random_secrets_are_never_weak() -> None:
    """Every usual way to make one passes: hexadecimal, base64, URL-safe."""
    made = [make(size) for make, size in ((secrets.token_hex, 32), (secrets.token_urlsafe, 24)) for _ in range(2000)]

    assert [secret for secret in made if is_weak(secret)] == []


@pytest.mark.parametrize(
    ("url", "faults"),
    [
        (f"rediss://auth:{'0f8b2c6d9e'}a1b3c5d7e9f0@redis:6379/0", 0),
        ("unix:///run/redis.sock", 0),
        ("rediss://auth:4be1c09f2a7d8356@redis:6379/0?ssl_cert_reqs=none", 1),
        ("rediss://auth:4be1c09f2a7d8356@redis:6379/0?ssl_cert_reqs=required&ssl_check_hostname=False", 1),
        ("redis://auth:4be1c09f2a7d8356@redis:6379/0", 1),
        ("rediss://:4be1c09f2a7d8356@redis:6379/0", 1),
        ("redis://redis:6379/0", 3),
    ],
)
def test_redis_is_reached_over_tls_by_a_user_of_its_own(url: str, faults: int) -> None:
    """Each thing that is missing has a line with the variable's real name."""
    found = list(redis_faults("GATEWAY_", RedisSettings(url=SecretStr(url))))

    assert len(found) == faults
    assert all(line.startswith("GATEWAY_REDIS_URL: ") for line in found)


@pytest.mark.parametrize(
    ("dsn", "faults"),
    [
        ("postgresql://u:4be1c09f2a7d8356@db:5432/razvilka?sslmode=verify-full", 0),
        ("postgresql://u:4be1c09f2a7d8356@/razvilka?host=/run/postgresql", 0),
        ("postgresql://u:4be1c09f2a7d8356@db:5432/razvilka", 1),
        ("postgresql://u:4be1c09f2a7d8356@/razvilka?host=db.example.com", 1),
        ("postgresql://u:4be1c09f2a7d8356@/razvilka?host=/run/postgresql,db.example.com", 1),
        ("postgresql://u:4be1c09f2a7d8356@db:5432/razvilka?sslmode=require", 1),
        ("postgresql://u:local-auth@db:5432/razvilka?sslmode=disable", 2),
    ],
)
def test_postgresql_is_reached_over_verified_tls(dsn: str, faults: int) -> None:
    """Encryption without a check of the server's name stops nobody who is in between."""
    found = list(postgres_faults("AUTH_", PostgresSettings(dsn=SecretStr(dsn))))

    assert len(found) == faults
    assert all(line.startswith("AUTH_POSTGRES_DSN: ") for line in found)
