"""What is no address and what nobody means as a number ends the start, by the name of its variable."""

import re
from typing import Any

import pytest
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from servicekit.configuration.loading import load
from servicekit.settings import SERVICE_CONFIG, GrpcSettings, PatientRedisSettings, PostgresSettings

ADDRESSES = {"AUTH_POSTGRES_DSN": "postgresql://auth@db/razvilka", "AUTH_REDIS_URL": "redis://auth@redis/0"}


class Settings(BaseSettings):
    """A service's, small."""

    model_config = SettingsConfigDict(**SERVICE_CONFIG, env_prefix="AUTH_")

    postgres: PostgresSettings
    redis: PatientRedisSettings
    grpc: GrpcSettings = GrpcSettings()
    kept_days: int = 30
    reload_s: float = Field(2.0, gt=0)


def loaded(**given: str) -> Settings:
    return load(Settings, ADDRESSES | given | {"RAZVILKA_PROFILE": "local"})


def complaint(**given: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        loaded(**given)
    return str(stopped.value)


@pytest.mark.parametrize(
    "dsn",
    [
        "",
        " ",
        "hunter2",
        "db:5432/razvilka",
        "postgresql:db/razvilka",
        "https://auth:hunter2@db/razvilka",
        "postgresql://auth:hunter2@db:abc/razvilka",
        "postgresql://auth:hunter2@db:0/razvilka",
        "postgresql://auth:hunter2@db:70000/razvilka",
        "postgresql://auth:hunter2/x@db/razvilka",
        "postgresql://auth:hunter2#x@db/razvilka",
        "postgresql://auth:hunter2?x@db/razvilka",
        "postgresql://auth:hunter2@x@db/razvilka",
        "postgresql://auth:[hunter2@db/razvilka",
        "postgresql://auth:hunter2@db/razvilka?sslmode=verify",
        "postgresql://auth:hunter2@/razvilka?host=db&port=x",
    ],
)
def test_what_is_no_address_of_postgresql_stops_the_start(dsn: str) -> None:
    """It started, never got ready, and said that PostgreSQL is away; the password is not repeated."""
    said = complaint(AUTH_POSTGRES_DSN=dsn)

    assert re.search(r"^  AUTH_POSTGRES_DSN: ", said, re.MULTILINE)
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://x",
        "postgres://auth:p%40ss%2Fword@db:5432/razvilka?sslmode=verify-full&sslrootcert=/etc/ca.crt",
        "postgresql://auth@db1:5432,db2:5433/razvilka?target_session_attrs=read-write",
        "postgresql://auth@[::1]:5432/razvilka",
        "postgresql://auth@/razvilka?host=/run/postgresql&port=5432",
        "postgresql:///razvilka",
    ],
)
def test_every_kind_of_address_of_postgresql_is_taken(dsn: str) -> None:
    """Several servers, brackets, a socket."""
    assert loaded(AUTH_POSTGRES_DSN=dsn).postgres.dsn.get_secret_value() == dsn


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hunter2",
        "redis:6379",
        "localhost:6379/0",
        "http://auth:hunter2@redis/0",
        "redis://auth:hunter2@redis:abc/0",
        "redis://auth:hunter2@redis:99999/0",
        "redis://auth:hunter2/x@redis/0",
        "redis://auth:hunter2#x@redis/0",
        "redis://auth:[hunter2@redis/0",
        "redis://auth@redis/razvilka",
        "unix://",
    ],
)
def test_what_is_no_address_of_redis_stops_the_start(url: str) -> None:
    """It ended in redis-py's traceback, which names no variable, or took database 0."""
    said = complaint(AUTH_REDIS_URL=url)

    assert re.search(r"^  AUTH_REDIS_URL: ", said, re.MULTILINE)
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "url",
    [
        "redis://x",
        "redis://",
        "rediss://auth:p%40ss@redis:6379/0?protocol=3",
        "redis://[::1]:6379/2",
        "rediss://auth:secret@/0",
        "unix:///run/redis.sock?db=1",
        "unix://auth:secret@/run/redis.sock",
    ],
)
def test_every_kind_of_address_of_redis_is_taken(url: str) -> None:
    """Also one whose host the sentinels say."""
    assert loaded(AUTH_REDIS_URL=url).redis.url.get_secret_value() == url


def test_blanks_around_an_address_are_no_part_of_it() -> None:
    """Of a database `razvilka ` PostgreSQL knows nothing; a secret made of a file ends with a newline."""
    made = loaded(AUTH_POSTGRES_DSN=" postgresql://auth@db/razvilka \n", AUTH_REDIS_URL="redis://auth@redis/0\n")

    assert made.postgres.dsn.get_secret_value() == ADDRESSES["AUTH_POSTGRES_DSN"]
    assert made.redis.url.get_secret_value() == ADDRESSES["AUTH_REDIS_URL"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AUTH_RELOAD_S", "inf"),
        ("AUTH_RELOAD_S", "1e300"),
        ("AUTH_RELOAD_S", "nan"),
        ("AUTH_KEPT_DAYS", "1000000"),
        ("AUTH_POSTGRES_STATEMENT_TIMEOUT_S", "inf"),
        ("AUTH_POSTGRES_POOL_MAX", "99999999999999999999"),
        ("AUTH_REDIS_TIMEOUT_MS", "99999999999"),
        ("AUTH_GRPC_CONNECTION_AGE_S", "1e12"),
        ("AUTH_GRPC_MAX_STREAMS", "99999999999"),
        ("AUTH_GRPC_MAX_MESSAGE_MB", "99999"),
    ],
)
def test_a_number_that_nothing_can_count_with_stops_the_start(variable: str, value: str) -> None:
    """It ended in an OverflowError's traceback, or in one each time that a job ran; `for ever` is a hundred years."""
    assert re.search(rf"^  {variable}: ", complaint(**{variable: value}), re.MULTILINE)


@pytest.mark.parametrize(("variable", "value"), [("AUTH_KEPT_DAYS", "36600"), ("AUTH_GRPC_GRACE_S", "1e9")])
def test_a_hundred_years_are_for_ever(variable: str, value: str) -> None:
    """Whoever wants to keep things for good can."""
    made: Any = loaded(**{variable: value})

    assert made
