"""The programs of the suite: what runs, with which settings, in which order."""

import sys
from collections.abc import Mapping
from typing import Final

from tools.servers.postgres import PostgresServer
from tools.servers.redis import RedisServer
from tools.stack.environments import Environments, uses_emulator
from tools.stack.home import REPOSITORY, Home
from tools.stack.supervision.program import Program

# Who needs whom, backwards: the gateway lets its streams end while everything it needs still answers.
STOP_ORDER: Final = (("gateway",), ("auth", "router", "usage", "emulator"), ("redis", "postgres"))
STORES, PROVIDERS, SERVICES, EDGE = 100, 200, 300, 400


def all_programs(
    home: Home, caller: Mapping[str, str], environments: Environments, *, postgres: PostgresServer, redis: RedisServer
) -> list[Program]:
    """Return every program, in the order they are started; they stop the other way round."""
    stores = [
        # SIGINT is PostgreSQL's "fast" stop: sessions are ended, nothing is lost. SIGTERM would wait for them.
        Program("postgres", postgres.command(), environments.stores(), home.postgres, STORES, "INT", 60),
        Program(
            "redis", redis.command(durable=True, users=home.redis_users), environments.stores(), home.redis, STORES
        ),
    ]
    emulator = [_module("emulator", [], environments, PROVIDERS)] if uses_emulator(caller) else []
    services = [_module(f"services.{name}", ["serve"], environments, SERVICES) for name in ("auth", "router", "usage")]
    return [*stores, *emulator, *services, _module("services.gateway", ["serve"], environments, EDGE)]


def _redis(command: list[str], home: Home, environments: Environments) -> Program:
    return Program("redis", command, environments.stores(), home.redis, STORES)


def migration_command(service: str) -> list[str]:
    """Return the command that brings a service's schema up to date."""
    return [sys.executable, "-m", f"services.{service}", "migrate"]


def _module(module: str, arguments: list[str], environments: Environments, stage: int) -> Program:
    name = module.removeprefix("services.")
    return Program(name, [sys.executable, "-m", module, *arguments], environments.of(name), REPOSITORY, stage)
