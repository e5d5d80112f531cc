"""How long tests wait, and what services in them are told of PostgreSQL: longer than a busy machine stands still."""

from __future__ import annotations

from typing import Final

from pydantic import SecretStr

from servicekit.settings import PostgresSettings
from tools.testing.redis_clients import PATIENT_MS

PATIENT_S: Final = 60.0


def postgres_settings(dsn: str) -> PostgresSettings:
    """Return a service's patient settings of a database."""
    return PostgresSettings(dsn=SecretStr(dsn), connect_timeout_s=PATIENT_S, statement_timeout_s=PATIENT_S)


def patient_variables(service: str, *, redis: bool = True) -> dict[str, str]:
    """Return the variables by which a service that runs as a process is as patient, with Redis too if it has one."""
    prefix = service.upper()
    of_postgres = {
        f"{prefix}_POSTGRES_CONNECT_TIMEOUT_S": str(PATIENT_S),
        f"{prefix}_POSTGRES_STATEMENT_TIMEOUT_S": str(PATIENT_S),
    }
    return of_postgres | ({f"{prefix}_REDIS_TIMEOUT_MS": str(PATIENT_MS)} if redis else {})
