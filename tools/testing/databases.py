"""Throwaway databases: one template per service, migrated once, copied for each test."""

import secrets
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from servicekit.migrations import migrate
from tools.servers.bootstrap import all_roles, bootstrap, role

SERVICES: Final = Path(__file__).parents[2] / "services"
# One constant for all: test processes that share a server must not change the roles' passwords under each other.
PASSWORD: Final = "razvilka-test"


class Databases:
    """Databases on one server, made on demand and dropped at the end."""

    def __init__(self, admin_dsn: str, services: Path = SERVICES) -> None:
        """Use the server; nothing happens until a database is asked for."""
        self._admin_dsn = admin_dsn
        self._services = services
        self._run = secrets.token_hex(4)
        self._templates: dict[str, str] = {}
        self._copies: set[str] = set()
        self._made = 0

    def create(self, service: str) -> str:
        """Return the DSN, as the service's role, of a fresh database with the service's migrations applied."""
        template = self._templates.get(service) or self._make_template(service)
        self._made += 1
        name = f"razvilka_test_{self._run}_{self._made}"
        self._create_database(name, template)
        self._copies.add(name)
        return self.dsn(service, name)

    def dsn(self, service: str, database: str, *, owner: bool = False) -> str:
        """Return the DSN of the service's role (or of the schema's owner) for one of the databases."""
        return _replaced(self._admin_dsn, role(service, owner=owner), PASSWORD, database)

    def admin_dsn_of(self, dsn: str) -> str:
        """Return the superuser's DSN of the database that a DSN of `create` names."""
        return urlunsplit(urlsplit(self._admin_dsn)._replace(path=urlsplit(dsn).path))

    def drop(self, dsn: str) -> None:
        """Drop the database a DSN of `create` names, whoever is still connected."""
        name = urlsplit(dsn).path.removeprefix("/")
        self._drop_database(name)
        self._copies.discard(name)

    @property
    def names(self) -> list[str]:
        """Return the databases that exist because of this object."""
        return [*self._templates.values(), *self._copies]

    def drop_all(self) -> None:
        """Drop everything that was made."""
        for name in self.names:
            self._drop_database(name)
        self._templates.clear()
        self._copies.clear()

    def _make_template(self, service: str) -> str:
        name = f"razvilka_test_{self._run}_{service}"
        self._create_database(name, "template0")
        # Registered before it is migrated, so that a failing migration leaves nothing on a server that is not ours.
        self._templates[service] = name
        try:
            parts = urlsplit(self._admin_dsn)
            bootstrap(urlunsplit(parts._replace(path=f"/{name}")), dict.fromkeys(all_roles(), PASSWORD))
            migrate(self.dsn(service, name, owner=True), self._services / service / "migrations", service)
            self._seal(name)
        except BaseException:
            self._drop_database(self._templates.pop(service))
            raise
        return name

    def _seal(self, name: str) -> None:
        """End every session on a template and let no new one in: PostgreSQL copies only a database nobody uses."""
        self._execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
        self._execute(
            sql.SQL("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = {}").format(
                sql.Literal(name)
            )
        )

    def _create_database(self, name: str, template: str) -> None:
        # By files: through the write-ahead log, which is the default, it takes two to five times the CPU.
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        self._execute(create.format(sql.Identifier(name), sql.Identifier(template)))

    def _drop_database(self, name: str) -> None:
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._admin_dsn, autocommit=True) as connection:
            connection.execute(statement)


def _replaced(dsn: str, user: str, password: str, database: str) -> str:
    parts = urlsplit(dsn)
    address = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{address}", path=f"/{database}"))
