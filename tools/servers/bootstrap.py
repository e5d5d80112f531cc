"""Prepare a database for the services: their roles, schemas and rights."""

from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

SCHEMAS: Final = ("auth", "router", "usage")
BOOTSTRAP_SQL: Final = Path(__file__).parents[2] / "deploy" / "postgres" / "bootstrap.sql"


def role(service: str, *, owner: bool = False) -> str:
    """Return the name of the role that a service (or its migrations) logs in as."""
    return f"razvilka_{service}_owner" if owner else f"razvilka_{service}"


def all_roles() -> list[str]:
    """Return every role the bootstrap makes."""
    return [role(service, owner=owner) for service in SCHEMAS for owner in (False, True)]


def create_database(admin_dsn: str, name: str) -> None:
    """Create the database unless it exists."""
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def bootstrap(database_dsn: str, passwords: dict[str, str]) -> None:
    """Apply `deploy/postgres/bootstrap.sql`; passwords are by role name."""
    with psycopg.connect(database_dsn) as connection:
        for role_name, password in passwords.items():
            setting = f"razvilka.{role_name.removeprefix('razvilka_')}_password"
            connection.execute("SELECT set_config(%s, %s, true)", [setting, password])
        connection.execute(BOOTSTRAP_SQL.read_bytes())
