"""What went wrong, as an exit status and one line that says what to do; nothing is lost by any of these."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import asyncpg

from migrate.fates.merging import WrongDecision
from migrate.report.faults import ReportFault
from migrate.source.faults import SourceFault
from servicekit.errors import ServiceError, Unavailable
from services.usage.store import Collision
from tools.servers.errors import ServerError

WRONG_COMMAND: Final = 2
NO_SOURCE: Final = 3
NO_TARGET: Final = 4
NO_REPORT: Final = 5
AGAIN: Final = "Nothing is lost: the same command goes on where it stood."

# What PostgreSQL or the way to it says, the most special first.
CAUSES: Final[Mapping[type[BaseException], tuple[str, str]]] = {
    asyncpg.ReadOnlySQLTransactionError: (
        "target_read_only",
        "The database of 1.1 is read-only: name the primary, or end default_transaction_read_only.",
    ),
    asyncpg.DiskFullError: ("target_disk_full", "PostgreSQL has no room left on its disk: make some."),
    asyncpg.TooManyConnectionsError: ("target_full", "PostgreSQL has no connection left: end some."),
    asyncpg.InvalidCatalogNameError: ("target_absent", "There is no such database of 1.1: correct the DSN."),
    asyncpg.InvalidAuthorizationSpecificationError: (
        "target_refuses",
        "PostgreSQL refuses the role or its password: correct the DSN.",
    ),
    asyncpg.InsufficientPrivilegeError: (
        "target_refuses",
        "The role may not do this: the DSNs are those of the services' own roles.",
    ),
    asyncpg.UndefinedTableError: ("target_not_1_1", "The migrations of 1.1 have not run there: run them."),
    asyncpg.UndefinedColumnError: ("target_not_1_1", "The migrations of 1.1 have not all run there: run them."),
    asyncpg.UndefinedFunctionError: ("target_not_1_1", "The migrations of 1.1 have not all run there: run them."),
    asyncpg.InvalidSchemaNameError: ("target_not_1_1", "The migrations of 1.1 have not run there: run them."),
    asyncpg.LockNotAvailableError: (
        "target_busy",
        "A backup or a long query of 1.1 reads what has to change: wait for its end.",
    ),
    Collision: ("target_busy", "Another writer of 1.1 was in the way again and again."),
    TimeoutError: ("target_slow", "PostgreSQL did not answer in time."),
    asyncpg.PostgresConnectionError: ("target_lost", "The connection to PostgreSQL was cut."),
    asyncpg.InterfaceError: ("target_lost", "The connection to PostgreSQL was cut."),
    asyncpg.OperatorInterventionError: ("target_lost", "PostgreSQL was stopped, or ended the session."),
    OSError: ("target_absent", "PostgreSQL cannot be reached."),
}
# Raised by statements that no room expects to fail.
RAW: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, Collision, sqlite3.OperationalError)
FAULTS: Final = (WrongDecision, SourceFault, ReportFault, ServiceError, ServerError, OSError, *RAW)


@dataclass(frozen=True, slots=True)
class Fault:
    """How a command ends."""

    status: int
    code: str
    message: str

    def as_json(self) -> dict[str, str]:
        """Return what programs are told."""
        return {"code": self.code, "message": self.message}


def fault_of(exc: Exception) -> Fault:
    """Return how a command ends that met one of `FAULTS`."""
    match exc:
        case WrongDecision():
            return Fault(WRONG_COMMAND, exc.code, str(exc))
        case SourceFault():
            return Fault(NO_SOURCE, exc.code, str(exc))
        case ReportFault():
            return Fault(NO_REPORT, exc.code, str(exc))
        case ServerError():
            return Fault(NO_TARGET, "no_target", str(exc))
        case sqlite3.OperationalError():
            return _of_sqlite(exc)
        case OSError() if exc.filename is not None or isinstance(exc, FileNotFoundError):
            return _of_file(exc)
        case ServiceError() if exc.__cause__ is None or not isinstance(exc, Unavailable):
            return Fault(NO_TARGET, exc.reason.value.lower(), exc.message)
    return _of_target(exc.__cause__ or exc if isinstance(exc, ServiceError) else exc)


def _of_target(cause: BaseException) -> Fault:
    for kind, (code, text) in CAUSES.items():
        if isinstance(cause, kind):
            return Fault(NO_TARGET, code, f"{text} ({_one_line(cause)}) {AGAIN}")
    return Fault(NO_TARGET, "target_failed", f"PostgreSQL refuses: {_one_line(cause)} {AGAIN}")


def _of_file(exc: OSError) -> Fault:
    return Fault(
        NO_REPORT,
        "file_unusable",
        f"A file cannot be used: {_one_line(exc)}. Make room or give the right; TMPDIR names the folder of temporary "
        f"files. {AGAIN}",
    )


def _of_sqlite(exc: sqlite3.OperationalError) -> Fault:
    if "full" in str(exc):
        return Fault(
            NO_REPORT, "report_unwritable", f"There is no room left for the report ({exc}): make some. {AGAIN}"
        )
    if "locked" in str(exc):
        return Fault(NO_SOURCE, "source_locked", f"1.0 keeps the source locked: wait for the end of its write. {AGAIN}")
    return Fault(NO_SOURCE, "source_unreadable", f"SQLite cannot read on: {exc}. {AGAIN}")


def _one_line(cause: BaseException) -> str:
    return " ".join(str(cause).split()) or type(cause).__name__
