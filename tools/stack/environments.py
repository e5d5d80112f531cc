"""Which settings each program gets: what the suite knows, overridden by what the caller's environment says."""

import functools
import operator
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from servicekit.configuration.loading import PROFILE
from servicekit.settings import RedisSettings
from services.router.providers.access import Access
from services.router.providers.registry import BUILT_IN
from tools.servers.bootstrap import role
from tools.servers.ports import LOOPBACK
from tools.servers.postgres import PostgresServer
from tools.stack.errors import StackError
from tools.stack.home import Home
from tools.stack.remembered import GATEWAY_PORT, PROBE_EVERY_S, redis_secret

DATABASE: Final = "razvilka"
SERVICES: Final = ("auth", "router", "usage", "gateway")
PREFIXES: Final = {**{service: f"{service.upper()}_" for service in SERVICES}, "emulator": "EMULATOR_"}
SYSTEM_NAMES: Final = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "LD_PRELOAD", "VIRTUAL_ENV"}
)
SYSTEM_PREFIXES: Final = ("LANG", "LC_", "SSL_CERT_", "OTEL_", "PYTHON", "RAZVILKA_", "COVERAGE_", "FAKETIME_")
# The last is the one word that our targets take; a variable so named is nobody's key.
OF_MAKE: Final = ("MAKE", "MFLAGS", "SERVICE")
# For suites that many use at once, or that are measured: what is asked is not how one waits for a provider.
NO_WAITING: Final = {
    "EMULATOR_LIFT_QUOTAS": "true",
    "ROUTER_YANDEX_CONCURRENCY": "1000",
    "ROUTER_GIGACHAT_CONCURRENCY": "1000",
}
PROXY_NAMES: Final = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"})


class Environments:
    """Makes the environment of each program."""

    def __init__(
        self,
        home: Home,
        caller: Mapping[str, str],
        *,
        ports: Mapping[str, str],
        secrets: Mapping[str, str],
        postgres: PostgresServer,
    ) -> None:
        self._home = home
        self._caller = caller
        self._ports = ports
        self._secrets = secrets
        self._postgres = postgres

    @property
    def redis_url(self) -> str:
        """Return the suite's own Redis, as the operator, who may do everything."""
        return self._redis_url("operator")

    @property
    def redis_settings(self) -> RedisSettings:
        """Return the Redis that the gateway uses, whichever kind its settings name, as the operator."""
        kind = {name: self._caller.get(f"GATEWAY_REDIS_{name.upper()}", "") for name in ("cluster", "sentinels")}
        primary = self._caller.get("GATEWAY_REDIS_PRIMARY", "razvilka")
        return RedisSettings(url=SecretStr(self.redis_url), timeout_ms=5_000, primary=primary, **kind)

    def _redis_url(self, user: str) -> str:
        return f"redis://{user}:{self._secrets[redis_secret(user)]}@{LOOPBACK}:{self._ports['REDIS_PORT']}/0"

    @property
    def url(self) -> str:
        """Return where clients send their requests."""
        host = self._caller.get("GATEWAY_HOST", LOOPBACK)
        shown = LOOPBACK if host in ("0.0.0.0", "::", "") else host
        return f"http://{shown}:{self._ports[GATEWAY_PORT]}"

    @property
    def registration_token(self) -> str:
        """Return what an application needs to register itself."""
        return self._caller.get("AUTH_OAUTH_REGISTRATION_TOKEN") or self._secrets["registration_token"]

    def stores(self) -> dict[str, str]:
        """Return what PostgreSQL and Redis need: nothing that differs between two terminals, or they would restart."""
        return {name: value for name, value in self._caller.items() if name in ("PATH", "HOME", "LD_LIBRARY_PATH")}

    def system(self) -> dict[str, str]:
        """Return what any process of this machine needs from its caller."""
        return {name: value for name, value in self._caller.items() if _is_system(name)}

    def of(self, program: str) -> dict[str, str]:
        """Return the environment of a service or of the emulator; the caller's own settings win."""
        ours = {"auth": self._auth, "router": self._router, "usage": self._usage, "gateway": self._gateway}
        prefix = PREFIXES[program]
        if program in ours:
            settings = ours[program]() | {f"{prefix}TLS_DIR": str(self._home.tls / program)}
        else:
            settings = {"EMULATOR_TLS_DIR": str(self._home.root / "emulator-tls")}
        collector = self._caller.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        if collector and program in SERVICES:
            settings[f"{prefix}TELEMETRY_OTLP_ENDPOINT"] = collector
        listens = {name: port for name, port in self._ports.items() if name.startswith(prefix)}
        own = {name: value for name, value in self._caller.items() if name.startswith(prefix)}
        # What a person starts on a machine without saying more is no production.
        return {PROFILE: "local"} | self._base(program) | listens | settings | own

    def migrations(self, service: str) -> dict[str, str]:
        """Return the environment of a service's migrations, which run as the schema's owner."""
        variable = f"{service.upper()}_MIGRATIONS_DSN"
        return {variable: self._dsn(service, owner=True)} | self.of(service)

    def _base(self, program: str) -> dict[str, str]:
        if program != "router":
            return self.system()
        # An upstream's key is in a variable that only its configuration file names, so the router sees all of them.
        others = tuple(prefix for name, prefix in PREFIXES.items() if name != program)
        # What `make` says to itself differs between two targets, and must not restart a router.
        return {name: value for name, value in self._caller.items() if not name.startswith((*others, *OF_MAKE))}

    def _dsn(self, service: str, *, owner: bool = False) -> str:
        name = role(service, owner=owner)
        return self._postgres.dsn(self._secrets[name], user=name, database=DATABASE)

    def _auth(self) -> dict[str, str]:
        issuer = self._caller.get("AUTH_OAUTH_ISSUER") or self.url
        # Auth refuses to be a demonstration behind https.
        is_demo = str(not issuer.startswith("https://")).lower()
        return {
            "AUTH_POSTGRES_DSN": self._dsn("auth"),
            "AUTH_REDIS_URL": self._redis_url("auth"),
            "AUTH_KEY_PEPPER": self._secrets["key_pepper"],
            "AUTH_KEY_PREVIOUS_PEPPERS": self._secrets.get("previous_peppers", ""),
            "AUTH_OAUTH_ISSUER": issuer,
            "AUTH_OAUTH_SIGNING_KEY_SECRET": self._secrets["signing_key_secret"],
            "AUTH_OAUTH_REGISTRATION_ENABLED": "true",
            "AUTH_OAUTH_REGISTRATION_TOKEN": self.registration_token,
            "AUTH_ACCOUNTS_SECRET": self._secrets["account_secret"],
            "AUTH_DEMO": is_demo,
            "AUTH_OUTBOX": is_demo,
        }

    def _usage(self) -> dict[str, str]:
        return {
            "USAGE_POSTGRES_DSN": self._dsn("usage"),
            "USAGE_NOTIFICATIONS_SECRET": self._secrets["notification_secret"],
            "USAGE_NOTIFICATIONS_PUBLIC_URL": self.url,
            "USAGE_NOTIFICATIONS_EVERY_S": "0.5",
            # Receivers of webhooks that somebody tries out on this machine.
            "USAGE_WEBHOOKS_PLAINTEXT": "true",
            "USAGE_WEBHOOKS_TRUSTED_NETWORKS": "127.0.0.0/8",
        }

    def _router(self) -> dict[str, str]:
        stores = {"ROUTER_POSTGRES_DSN": self._dsn("router"), "ROUTER_REDIS_URL": self._redis_url("router")}
        providers = [self._provider(row.access) for row in BUILT_IN]
        return functools.reduce(operator.or_, providers, stores) | self._upstreams()

    def _gateway(self) -> dict[str, str]:
        targets = {
            f"GATEWAY_{service.upper()}_TARGET": f"{LOOPBACK}:{self._ports[f'{service.upper()}_GRPC_PORT']}"
            for service in ("auth", "router", "usage")
        }
        return targets | {
            "GATEWAY_ENVIRONMENT": "development",
            "GATEWAY_DEMO_FILE": str(self._home.demo_env),
            "GATEWAY_REDIS_URL": self._redis_url("gateway"),
            "GATEWAY_JOURNAL_DIR": str(self._home.root / "journal"),
            "GATEWAY_TELL_PEOPLE_EVERY_S": "2",
            "GATEWAY_PROBES_KEY_FILE": str(self._home.probe_key),
            **self._probed(),
            **self._breakable(),
        }

    def _probed(self) -> dict[str, str]:
        """Return how often versions are probed: as `make up` says, where that costs nobody anything."""
        every_s = self._caller.get(PROBE_EVERY_S, "")
        is_free = not any(row.access.is_real(self._caller) for row in BUILT_IN)
        return {"GATEWAY_PROBES_EVERY_S": every_s} if every_s and is_free else {}

    def _breakable(self) -> dict[str, str]:
        """Return where the console may break GigaChat: only the one that the emulator plays."""
        played = any(row.access.surface == "gigachat" and not row.access.is_real(self._caller) for row in BUILT_IN)
        return {"GATEWAY_EMULATOR_CONTROL_URL": self._emulator_addresses()["control"]} if played else {}

    def _provider(self, access: Access) -> dict[str, str]:
        given = access.translated(self._caller)
        if access.is_real(self._caller):
            return given
        if half := access.half_given(self._caller):
            ways = ", or ".join(" and ".join(names) for names in half)
            raise StackError(f"{ways} belong together: set all of them or none")
        return access.played(self._emulator_addresses()) | given

    def _upstreams(self) -> dict[str, str]:
        named = self._caller.get("RAZVILKA_UPSTREAMS")
        if not named:
            return {}
        file = Path(named).expanduser().resolve()
        if not file.is_file():
            raise StackError(f"RAZVILKA_UPSTREAMS={named}: there is no such file")
        return {"ROUTER_UPSTREAMS_FILE": str(file)}

    def _emulator_addresses(self) -> dict[str, str]:
        """Return the address of each of the emulator's listeners by its name."""
        listeners = {name: port for name, port in self._ports.items() if name.startswith(PREFIXES["emulator"])}
        return {listener_of(name): f"http://{LOOPBACK}:{port}" for name, port in listeners.items()}


def listener_of(port_variable: str) -> str:
    """Return the emulator's listener that a variable gives a port: `yandex` for EMULATOR_YANDEX_PORT."""
    return port_variable.removeprefix(PREFIXES["emulator"]).removesuffix("_PORT").lower()


def uses_emulator(caller: Mapping[str, str]) -> bool:
    """Say whether a provider is left for the emulator to play."""
    return any(row.access.surface and not row.access.is_real(caller) for row in BUILT_IN)


def _is_system(name: str) -> bool:
    return name in SYSTEM_NAMES or name.upper() in PROXY_NAMES or name.startswith(SYSTEM_PREFIXES)
