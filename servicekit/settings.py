"""Parts of settings that every service nests in its own class.

A service's class sets `env_prefix="AUTH_"`, `env_nested_delimiter="_"` and `env_nested_max_split=1`
(`SERVICE_CONFIG`), so that the part `postgres` and its field `dsn` are read from `AUTH_POSTGRES_DSN`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import SettingsConfigDict

from servicekit.outbound.store_addresses import postgres_problem, redis_problem


class Part(BaseModel):
    """A frozen group of settings; unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


Port = Annotated[int, Field(ge=0, le=65535)]
# An empty variable means that there is no file, not the folder one stands in.
OptionalPath = Annotated[Path | None, BeforeValidator(lambda given: given or None)]
# A newline or a blank at the end of a secret is no part of the address in it.
Address = Annotated[SecretStr, AfterValidator(lambda given: SecretStr(given.get_secret_value().strip()))]


class PostgresSettings(Part):
    """Where the service's own schema lives."""

    dsn: Address
    """postgresql://role:password@host:port/database of the service's own role."""
    pool_max: int = Field(8, ge=1, le=10_000)
    """Connections at most."""
    connect_timeout_s: float = Field(5.0, gt=0)
    """Seconds to wait for a connection."""
    statement_timeout_s: float = Field(10.0, gt=0)
    """Seconds after which a statement is given up."""

    @field_validator("dsn")
    @classmethod
    def _leads_somewhere(cls, value: SecretStr) -> SecretStr:
        if problem := postgres_problem(value.get_secret_value()):
            raise ValueError(problem)
        return value


class RedisSettings(Part):
    """The shared Redis."""

    url: Address
    """rediss://user:password@host:port/db (redis:// without TLS), or unix:///path.sock."""
    ca: OptionalPath = None
    """File with the authorities that may have signed the certificate of rediss://; empty: the system's."""
    timeout_ms: int = Field(100, gt=0)
    """Milliseconds to wait for a connection or an answer before Redis counts as lost."""
    pool_max: int = Field(64, ge=1, le=100_000)
    """Connections at most, of a cluster to each server; who finds none free waits for one as long as for an answer."""
    sentinels: str = ""
    """host:port of each Redis Sentinel, comma-separated: they say where the primary is, not the URL; empty: none."""
    sentinel_password: SecretStr = SecretStr("")
    """What the sentinels themselves want; empty: nothing."""
    primary: str = "razvilka"
    """Name under which the sentinels watch the primary."""
    cluster: str = ""
    """host:port of some servers of a Redis Cluster, comma-separated: they name all others; empty: none."""

    @field_validator("url")
    @classmethod
    def _leads_somewhere(cls, value: SecretStr) -> SecretStr:
        if problem := redis_problem(value.get_secret_value()):
            raise ValueError(problem)
        return value

    @field_validator("sentinels", "cluster")
    @classmethod
    def _addresses_parse(cls, value: str) -> str:
        for each in filter(None, value.split(",")):
            host, _, port = each.strip().rpartition(":")
            if not host or not port.isdigit() or not 0 < int(port) < 65536:
                raise ValueError(f"{each.strip()} is no host:port")
        return value

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if self.sentinels and self.cluster:
            raise ValueError("a cluster has no sentinels: set either sentinels or cluster")
        path = urlsplit(self.url.get_secret_value()).path.strip("/")
        if self.cluster and path not in ("", "0"):
            raise ValueError(f"a cluster has database 0 only, and the URL names {path}: end it in /0")
        return self

    def sentinel_addresses(self) -> list[tuple[str, int]]:
        """Return host and port of each sentinel."""
        return _addresses(self.sentinels)

    def cluster_addresses(self) -> list[tuple[str, int]]:
        """Return host and port of the servers of the cluster that are asked first."""
        return _addresses(self.cluster)


def _addresses(listed: str) -> list[tuple[str, int]]:
    parts = [each.strip().rpartition(":") for each in listed.split(",") if each.strip()]
    return [(host, int(port)) for host, _, port in parts]


class PatientRedisSettings(RedisSettings):
    """The shared Redis, for whom nothing can stand in for it: without an answer a caller has to be refused."""

    timeout_ms: int = Field(1_500, gt=0)
    """Milliseconds to wait for a connection or an answer before Redis counts as lost and the caller is refused."""


class GrpcSettings(Part):
    """Where the service listens for the gateway."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Port = 0
    """Port to listen on; 0 takes a free one."""
    max_message_mb: int = Field(24, ge=1)
    """Megabytes of one message at most; above the gateway's body limit (a JSON body grows when re-encoded)."""
    max_streams: int = Field(5_000, ge=1, le=2**31 - 1)
    """Calls under way over one connection at most; more wait for their turn or are told to try again."""
    grace_s: float = Field(25.0, ge=0)
    """Seconds that calls under way are given after SIGTERM."""
    connection_age_s: float = Field(300.0, ge=1, le=2_000_000)
    """Seconds after which callers are asked to connect anew: only then do they look whom a name leads to by now."""


class TlsSettings(Part):
    """How the services prove themselves to each other."""

    dir: OptionalPath = None
    """Folder with tls.crt, tls.key and ca.crt of this service, read again when they change; empty: plaintext."""


class MetricsSettings(Part):
    """Where Prometheus scrapes."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Port = 0
    """Port to listen on; 0 turns it off."""


class TelemetrySettings(Part):
    """Logs and traces."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is written."""
    log_format: Literal["auto", "json", "console"] = "auto"
    """auto: JSON unless standard output is a terminal."""
    otlp_endpoint: str = ""
    """host:port or URL of an OTLP/gRPC collector; empty: no traces are exported."""
    sample_ratio: float = Field(1.0, ge=0, le=1)
    """Share of traces begun here that are exported; a caller's own decision is kept. Those that fail always are."""
    slow_s: float = Field(30.0, gt=0)
    """Seconds after which a trace is exported for being slow, though chance or its caller left it out."""


SERVICE_CONFIG = SettingsConfigDict(
    frozen=True,
    env_nested_delimiter="_",
    env_nested_max_split=1,
    extra="ignore",
    use_attribute_docstrings=True,
    hide_input_in_errors=True,
)
