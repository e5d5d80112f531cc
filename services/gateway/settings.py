"""Settings of the gateway, read once from GATEWAY_* variables."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from servicekit.configuration.production import redis_faults, secret_faults, tls_faults
from servicekit.multiplex import MultiplexClientSettings
from servicekit.settings import (
    SERVICE_CONFIG,
    MetricsSettings,
    Part,
    Port,
    RedisSettings,
    TelemetrySettings,
    TlsSettings,
)
from services.gateway.work_settings import BatchSettings, ProbeSettings

Network = IPv4Network | IPv6Network
# A shorter one could be tried out.
MIN_SECRET_LENGTH = 32


class LimitSettings(Part):
    """What one request may weigh."""

    body_mb: int = Field(10, ge=1, le=20)
    """Megabytes of a request body at most."""
    json_depth: int = Field(64, ge=8, le=512)
    """Levels of nesting in a JSON body at most."""
    json_elements: int = Field(30_000, ge=1000)
    """Values in lists and objects of a JSON body at most; of embeddings, whose texts may be tokens, four times that."""
    header_kb: int = Field(16, ge=4)
    """Kilobytes of the request line and headers at most."""
    header_s: float = Field(10.0, gt=0)
    """Seconds a client has to send its headers."""
    body_s: float = Field(60.0, gt=0)
    """Seconds a client has to send its body."""
    connections: int = Field(8192, ge=1)
    """Connections at once at most."""
    connections_per_address: int = Field(1024, ge=1)
    """Connections at once from one address (of IPv6: one /64) at most; trusted proxies may have all."""


class StreamSettings(Part):
    """How answers reach slow clients, and what happens when clients leave."""

    headers_s: float = Field(1.0, gt=0)
    """Seconds of a model's silence after which a stream's headers leave: failures are `error` events from then on."""
    keepalive_s: float = Field(15.0, gt=0)
    """Seconds of silence after which a stream gets a comment, so that proxies keep it open."""
    write_s: float = Field(30.0, gt=0)
    """Seconds a client may read nothing before its stream is cut (and billed); of other answers twice as many."""
    drain_s: float = Field(30.0, ge=0)
    """Seconds an answer is read on after its client left, where the provider bills it anyway."""
    drain_tokens: int = Field(4096, ge=0)
    """Tokens that are read on at most after the client left."""


class IdempotencySettings(Part):
    """How answers are kept for retries with the same Idempotency-Key."""

    kept_s: float = Field(86_400.0, ge=60)
    """Seconds a key is remembered, with its answer."""
    lease_s: float = Field(10.0, ge=1)
    """Seconds after which the keys of a gateway that vanished may be taken over; renewed three times as often."""
    most_kb: int = Field(2048, ge=1)
    """Kilobytes of an answer that is kept; of a larger one only that it was billed."""


class CacheSettings(Part):
    """The cache of answers, for callers that ask for it by `x-razvilka-cache: on`."""

    ttl_s: int = Field(3600, ge=1)
    """Seconds an answer is cached unless the caller says how long (`x-razvilka-cache-ttl`)."""
    most_ttl_s: int = Field(86_400, ge=1)
    """The longest that a caller may say, in seconds."""
    price_percent: int = Field(0, ge=0, le=100)
    """What an answer from the cache costs, in percent of what it would cost anew."""


class OAuthSettings(Part):
    """The OAuth endpoints and the pages."""

    requests_per_minute: int = Field(300, ge=0)
    """Requests of OAuth endpoints and pages that one address may make a minute; 0: any number."""
    step_up_max_age_s: int = Field(600, ge=0)
    """Seconds since a login within which an application may make and change keys, applications and budgets; 0: any."""
    cors_origins: str = "*"
    """Pages that may call /token, /revoke, /userinfo and read the metadata: *, or origins separated by commas."""

    @property
    def cors_list(self) -> tuple[str, ...]:
        """`cors_origins`, split."""
        return _origins(self.cors_origins)


class AdmissionSettings(Part):
    """How limits are kept."""

    lease_s: float = Field(30.0, ge=1)
    """Seconds after which the slots of a gateway that vanished are free again; renewed three times as often."""
    replicas: int = Field(0, ge=0)
    """Gateways that share the limits while Redis is lost; 0: as many as last registered."""
    reconcile_every_s: float = Field(300.0, gt=0)
    """Seconds between two comparisons of budget counters with stored usage."""
    budget_wait_s: float = Field(5.0, ge=0, le=30)
    """Seconds a request waits for others of its budget to be settled when that may make room for it; 0: none."""

    budget_share_without_redis: float = Field(0.8, ge=0, le=0.8)
    """Part of what a hard budget had left that gateways may spend while Redis is lost; 0: such requests are refused."""
    explained_s: float = Field(600.0, ge=0)
    """Seconds that GET /v1/requests/{id} knows all of a request that ended, about 1 kB of Redis each; 0: never."""


class MeteringSettings(Part):
    """How what a lost gateway left is billed."""

    reap_every_s: float = Field(30.0, gt=0)
    """Seconds between two looks for holds that nobody renews any more."""
    reap_grace_s: float = Field(120.0, ge=0)
    """Seconds after a hold's end in which a restarted gateway may still explain it from its journal."""
    drain_at_stop_s: float = Field(10.0, ge=0)
    """Seconds a stopping gateway goes on shipping records; what is left waits in the journal for the next start."""
    clock_bound_s: float = Field(10.0, gt=0)
    """Seconds by which the clock may differ from those of Redis and the usage service; beyond, nothing is served."""
    prompt_digest_secret: SecretStr = SecretStr("")
    """Keys the digests that find repeated prompts, at least 32 characters, the same at all gateways; empty: none."""

    @field_validator("prompt_digest_secret")
    @classmethod
    def _is_long(cls, given: SecretStr) -> SecretStr:
        if 0 < len(given.get_secret_value()) < MIN_SECRET_LENGTH:
            raise ValueError(f"must have at least {MIN_SECRET_LENGTH} characters, or be empty")
        return given


class GatewaySettings(BaseSettings):
    """Everything the gateway can be told."""

    model_config = SettingsConfigDict(**{**SERVICE_CONFIG, "env_prefix": "GATEWAY_"})

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Port = 8080
    """Port to listen on; 0 takes a free one."""
    admin_port: Port | None = None
    """Port of a listener of its own for /v1/admin, which the other one then answers as an unknown path; unset: none."""
    admin_host: str = "127.0.0.1"
    """Address of that listener: one that only administrators reach."""
    environment: Literal["development", "production"] = "production"
    """development: /docs, /openapi.json and the outbox of mails are shown."""
    demo_file: Path | None = None
    """File of the demo account, as `make up` writes it: visitors at this machine may enter as it; unset: nobody may."""
    emulator_control_url: str = ""
    """Address of the emulator's control API (http://127.0.0.1:18080): /console/break; empty: there is no such page."""
    auth_target: str = "127.0.0.1:50051"
    """host:port of the auth service."""
    router_target: str = "127.0.0.1:50052"
    """host:port of the router service; or dns:///name:port or ipv4:host:port,host:port for several."""
    multiplex: MultiplexClientSettings = MultiplexClientSettings()
    """The calls to the routers, which share RPCs."""
    usage_target: str = "127.0.0.1:50053"
    """host:port of the usage service."""
    tls: TlsSettings = TlsSettings()
    """How we and the services prove ourselves to each other."""
    journal_dir: Path = Path(".razvilka/journal")
    """Directory of the metering journal; durable, one gateway per directory tree is fine."""
    redis: RedisSettings
    """Limits, holds and revocations."""
    metrics: MetricsSettings = MetricsSettings()
    """Where Prometheus scrapes."""
    telemetry: TelemetrySettings = TelemetrySettings()
    """Logs and traces."""
    limit: LimitSettings = LimitSettings()
    """What one request may weigh."""
    stream: StreamSettings = StreamSettings()
    """How answers reach slow clients."""
    admission: AdmissionSettings = AdmissionSettings()
    """How limits are kept."""
    tell_people_every_s: float = Field(60.0, gt=0)
    """Seconds between two times usage is told of budgets and keys, and looks whether somebody is to be notified; and
    between two looks for files and batches of applications that ended."""
    metering: MeteringSettings = MeteringSettings()
    """How what a lost gateway left is billed."""
    idempotency: IdempotencySettings = IdempotencySettings()
    """How answers are kept for retries with the same Idempotency-Key."""
    cache: CacheSettings = CacheSettings()
    """The cache of answers."""
    batches: BatchSettings = BatchSettings()
    """Files of callers and batches."""
    probes: ProbeSettings = ProbeSettings()
    """Questions that the gateway itself asks every model version."""
    oauth: OAuthSettings = OAuthSettings()
    """The OAuth endpoints and the pages."""
    public_url: str = ""
    """Address of this gateway as browsers see it, without a slash at the end; empty: the issuer of the tokens."""
    account_timeout_s: float = Field(10.0, gt=0)
    """Seconds to wait for the auth service where passwords are hashed."""
    jwks_max_age_s: float = Field(3600.0, gt=0)
    """Seconds the public keys are used while the auth service cannot be asked for them."""
    request_timeout_s: float = Field(600.0, gt=0)
    """Seconds one request may take in all."""
    auth_timeout_s: float = Field(2.0, gt=0)
    """Seconds to wait for the auth service."""
    key_cache_s: float = Field(5.0, ge=0, le=5)
    """Seconds a verified key is believed without asking again; at most 5: what a lost revocation can cost."""
    key_stale_s: float = Field(300.0, ge=0)
    """Seconds a verified key is believed while the auth service is down."""
    responses_kept_s: float = Field(86_400.0, gt=0)
    """Seconds an answer of /v1/responses is kept for a next turn (`previous_response_id`), unless `store` is false."""
    kept_timeout_ms: int = Field(3_000, gt=0)
    """Milliseconds to wait for Redis where a request is refused without its answer (Idempotency-Key, /v1/responses)."""
    catalog_refresh_s: float = Field(3.0, gt=0)
    """Seconds between two looks at the router's catalogue."""
    catalog_max_age_s: float = Field(600.0, gt=0)
    """Seconds the last catalogue is used while the router is down."""
    trusted_proxies: str = ""
    """Networks whose X-Forwarded-For is believed, comma-separated (10.0.0.0/8); empty: none."""
    cors_origins: str = ""
    """Pages of other sites that may call the API: origins separated by commas, or *; empty: none."""
    hsts: bool = False
    """Send Strict-Transport-Security: only where TLS is in front."""
    leave_s: float = Field(0.0, ge=0)
    """Seconds from SIGTERM in which /ready says no and requests are still taken: what a balancer needs to notice."""
    grace_s: float = Field(30.0, ge=0)
    """Seconds from then to the end; streams are cut with an error event 10 s earlier."""

    @field_validator("emulator_control_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http://, or be empty")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks_parse(cls, value: str) -> str:
        _networks(value)
        return value

    def production_faults(self) -> Iterator[str]:
        """Yield what production refuses."""
        yield from tls_faults("GATEWAY_", self.tls)
        yield from redis_faults("GATEWAY_", self.redis)
        if secret := self.metering.prompt_digest_secret.get_secret_value():
            yield from secret_faults("GATEWAY_METERING_PROMPT_DIGEST_SECRET", secret)
        if self.environment == "development":
            yield "GATEWAY_ENVIRONMENT: development shows /docs and the outbox of mails; set it to production"
        if self.demo_file is not None:
            yield "GATEWAY_DEMO_FILE: anybody at the machine could enter as the demo account; unset it"
        if self.emulator_control_url:
            yield "GATEWAY_EMULATOR_CONTROL_URL: anybody at the machine could break a provider; unset it"
        if not self.hsts:
            yield "GATEWAY_HSTS: browsers would go on using http; set it to true (TLS ends in front of the gateway)"
        if any(network.prefixlen == 0 for network in self.trusted_networks):
            yield "GATEWAY_TRUSTED_PROXIES: anybody could name any address; list the networks of your proxies only"
        if self.public_url and not self.public_url.startswith("https://"):
            yield "GATEWAY_PUBLIC_URL: must begin with https://"

    @property
    def cors_list(self) -> tuple[str, ...]:
        """`cors_origins`, split."""
        return _origins(self.cors_origins)

    @property
    def trusted_networks(self) -> tuple[Network, ...]:
        """`trusted_proxies`, parsed."""
        return _networks(self.trusted_proxies)


def _networks(value: str) -> tuple[Network, ...]:
    return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())


def _origins(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())
