"""Ports, secrets and choices: made once, remembered in the suite's folder."""

import json
import secrets
from collections.abc import Mapping
from typing import Final

from emulator.listeners import EmulatorSettings
from tools.private_file import write_private
from tools.servers import ports
from tools.servers.bootstrap import all_roles
from tools.servers.postgres import SUPERUSER
from tools.stack.errors import StackError
from tools.stack.home import Home, read_json

GATEWAY_PORT: Final = "GATEWAY_PORT"
DEFAULT_GATEWAY_PORT: Final = "8080"
# Each at least 32 characters long: token_urlsafe(24) gives exactly that.
AUTH_SECRETS: Final = ("key_pepper", "signing_key_secret", "account_secret", "registration_token")
USAGE_SECRETS: Final = ("notification_secret",)
PROBE_EVERY_S: Final = "RAZVILKA_PROBE_EVERY_S"
# What `make up` says besides what the caller says: commands after it, in which nobody says it, mean the same suite.
CHOICES: Final = (PROBE_EVERY_S,)
REDIS_USERS: Final = ("gateway", "auth", "router", "operator")
# The variable that sets a port is also its name here; a caller's own value always wins.
PORT_VARIABLES: Final = (
    "POSTGRES_PORT",
    "REDIS_PORT",
    *(f"EMULATOR_{name.upper()}" for name in EmulatorSettings.model_fields if name.endswith("_port")),
    "AUTH_GRPC_PORT",
    "AUTH_METRICS_PORT",
    "ROUTER_GRPC_PORT",
    "ROUTER_METRICS_PORT",
    "USAGE_GRPC_PORT",
    "USAGE_METRICS_PORT",
    "GATEWAY_METRICS_PORT",
)


def remembered_ports(home: Home, environment: Mapping[str, str], *, running: bool) -> dict[str, str]:
    """Return a port for every listener.

    Args:
        home: where they are remembered.
        environment: the caller's; its ports win.
        running: the suite is up, so its own ports are busy and right.

    Raises:
        StackError: a port that was asked for is taken.
    """
    file = home.run / "ports.json"
    known = read_json(file)
    chosen = {name: environment.get(name) or _usable(known.get(name), running=running) for name in PORT_VARIABLES}
    asked = environment.get(GATEWAY_PORT) or environment.get("RAZVILKA_PORT") or DEFAULT_GATEWAY_PORT
    chosen[GATEWAY_PORT] = asked
    if not running or asked != known.get(GATEWAY_PORT):
        _require_free(asked)
    write_private(file, json.dumps(chosen, indent=2))
    return chosen


def _usable(port: str | None, *, running: bool) -> str:
    if port is not None and (running or ports.is_free(int(port))):
        return port
    return str(ports.free_port())


def _require_free(port: str) -> None:
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise StackError(f"RAZVILKA_PORT={port} is not a port number")
    if int(port) < 1024 and not ports.is_allowed(int(port)):
        raise StackError(f"port {port} needs root: choose one above 1023, for example RAZVILKA_PORT=8081 make up")
    if not ports.is_free(int(port)):
        raise StackError(
            f"port {port} is in use by {ports.holder(int(port))}: stop it or choose another, "
            f"for example RAZVILKA_PORT={int(port) % 65535 + 1} make up"
        )


def with_choices(home: Home, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the caller's environment, with what was chosen before where it says nothing."""
    file = home.run / "choices.json"
    known = read_json(file)
    chosen = known | {name: environment[name] for name in CHOICES if name in environment}
    if chosen != known:
        write_private(file, json.dumps(chosen, indent=2))
    return chosen | dict(environment)


def remembered_secrets(home: Home) -> dict[str, str]:
    """Return the passwords of PostgreSQL's roles by role name and of Redis's users, and the services' own secrets."""
    # Next to the data they open, and as durable: losing them would lock the data away.
    file = home.root / "secrets.json"
    known = read_json(file)
    users = [redis_secret(user) for user in REDIS_USERS]
    wanted = {
        name: secrets.token_urlsafe(24) for name in (SUPERUSER, *all_roles(), *users, *AUTH_SECRETS, *USAGE_SECRETS)
    }
    merged = wanted | known
    if merged != known:
        write_private(file, json.dumps(merged, indent=2))
    return merged


def redis_secret(user: str) -> str:
    """Return the name under which the password of a Redis user is remembered."""
    return f"redis_{user}"
