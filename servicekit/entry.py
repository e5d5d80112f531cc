"""`python -m services.<name> serve|migrate|await-migrations`: the command line of every service."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import resource
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog
import uvloop

from servicekit import telemetry
from servicekit.configuration.environment import BadEnvironment, read_environment
from servicekit.lifecycle import CannotListenError
from servicekit.outbound.store_addresses import postgres_problem
from servicekit.settings import TelemetrySettings
from servicekit.trust.certificate_files import BadCertificate

log = structlog.get_logger()

# Of glibc's malloc.h.
_M_MMAP_THRESHOLD: Final = -3
LARGE_BLOCK: Final = 1024 * 1024


def run(service: str, serve: Callable[[], Awaitable[None]], migrations: Path | None = None) -> None:
    """Run the command that the command line names.

    Args:
        service: its short name, also the name of its schema.
        serve: runs until a signal comes.
        migrations: where its SQL files are; None when it owns no schema.

    Raises:
        SystemExit: the command is unknown, or a setting is missing.
    """
    command = sys.argv[1] if len(sys.argv) == 2 else ""
    if command == "serve":
        collect_garbage_seldom()
        _leave_no_core()
        _give_memory_back()
        _serve(service, serve)
    elif command == "migrate" and migrations is not None:
        _migrate(service, migrations)
    elif command == "await-migrations" and migrations is not None:
        _await_migrations(service, migrations)
    else:
        raise SystemExit(
            f"usage: python -m services.{service} serve{'|migrate|await-migrations' if migrations else ''}"
        )


def collect_garbage_seldom() -> None:
    """Exempt loaded modules from garbage collection and make collections rare and short."""
    # Nearly all garbage of a request dies by reference counting. The default (a look every 700 allocations, over all
    # that was imported) took 8 % of a request's CPU. A look at 20,000 young objects held up everybody for 10 to 20 ms,
    # in the middle of decoding a large body; at 5,000 for 5. Older ones are looked at as seldom as before.
    gc.freeze()
    gc.set_threshold(5_000, 40, 100)


def _leave_no_core() -> None:
    # A core file would hold keys, prompts and passwords of whoever was being served.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _give_memory_back() -> None:
    """Let glibc return large blocks as soon as they are freed; elsewhere do nothing."""
    # Left alone it moves its threshold above the largest block it has seen freed: after one password's 19 MiB, blocks
    # of that size stay with the process, one in each thread that has hashed. Set by hand, it stays where it is.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK)


def _serve(service: str, serve: Callable[[], Awaitable[None]]) -> None:
    prefix = service.upper()
    try:
        uvloop.run(_awaited(serve))
    except CannotListenError as exc:
        raise SystemExit(f"{prefix}_{exc.part}_HOST, {prefix}_{exc.part}_PORT: {exc.why}") from exc
    except BadCertificate as exc:
        raise SystemExit(f"{prefix}_TLS_DIR: {exc}") from exc


async def _awaited(serve: Callable[[], Awaitable[None]]) -> None:
    try:
        await serve()
    finally:
        telemetry.shutdown()


def _migrate(service: str, migrations: Path) -> None:
    # Not at the top: what serves needs none of it.
    from servicekit.migrations import MigrationsLocked, migrate

    dsn = _dsn(f"{service.upper()}_MIGRATIONS_DSN", f"set it to the DSN of the role that owns schema {service}")
    telemetry.configure(service, TelemetrySettings())
    try:
        applied = migrate(dsn, migrations, service)
    except MigrationsLocked as exc:
        raise SystemExit(str(exc)) from exc
    for name in applied:
        log.info("migration.applied", name=name)


def _await_migrations(service: str, migrations: Path) -> None:
    from servicekit.migrations import await_migrations

    dsn = _dsn(
        f"{service.upper()}_POSTGRES_DSN", f"set it to the DSN of the role that the {service} service logs in as"
    )
    telemetry.configure(service, TelemetrySettings())
    asyncio.run(await_migrations(dsn, migrations, service))


def _dsn(variable: str, remedy: str) -> str:
    try:
        dsn = read_environment({**os.environ}, variable, frozenset({variable})).get(variable)
    except BadEnvironment as exc:
        raise SystemExit(str(exc)) from exc
    if not dsn:
        raise SystemExit(f"{variable}: {remedy}")
    if problem := postgres_problem(dsn.strip()):
        raise SystemExit(f"{variable}: {problem}")
    return dsn.strip()
