"""Throwaway databases and the rights that the bootstrap gives."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tools.testing.databases import Databases

MIGRATION = """
CREATE TABLE things (id bigint GENERATED ALWAYS AS IDENTITY, name text);
CREATE FUNCTION count_things() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM things';
"""


@pytest.fixture
def own_databases(postgres_admin_dsn: str, tmp_path: Path) -> Iterator[Databases]:
    for service in ("auth", "usage"):
        folder = tmp_path / service / "migrations"
        folder.mkdir(parents=True)
        (folder / "0001_things.sql").write_text(MIGRATION)
    made = Databases(postgres_admin_dsn, services=tmp_path)
    yield made
    made.drop_all()


def run(dsn: str, statement: str) -> object:
    with psycopg.connect(dsn) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def test_a_service_reads_and_writes_rows_of_its_schema(own_databases):
    """Tables, sequences and functions of the migrations are usable without naming the schema."""
    dsn = own_databases.create("auth")

    run(dsn, "INSERT INTO things (name) VALUES ('first')")

    assert run(dsn, "SELECT count_things()") == 1
    assert run(dsn, "SELECT name FROM auth.things") == "first"


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE more ()", "DROP TABLE things", "ALTER TABLE things ADD extra text", "TRUNCATE things",
     "CREATE TABLE public.more ()", "CREATE SCHEMA more", "SELECT * FROM usage.anything"],
)  # fmt: skip
def test_a_service_may_not_change_tables_or_leave_its_schema(own_databases, statement):
    """The running service has no DDL and no way into another room."""
    dsn = own_databases.create("auth")

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run(dsn, statement)


def test_another_service_has_no_way_into_the_schema(own_databases):
    """One service's role sees nothing of another's tables in the same database."""
    dsn = own_databases.create("auth")
    database = dsn.rpartition("/")[2]

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run(own_databases.dsn("usage", database), "SELECT * FROM auth.things")


def test_two_databases_share_no_rows(own_databases):
    """Each test starts from the migrated schema, not from what another test wrote."""
    first, second = own_databases.create("usage"), own_databases.create("usage")

    run(first, "INSERT INTO things (name) VALUES ('first')")

    assert run(second, "SELECT count(*) FROM things") == 0


def test_a_dropped_database_is_gone_even_when_in_use(own_databases, postgres_admin_dsn):
    """A forgotten connection of a test does not keep its database."""
    dsn = own_databases.create("auth")
    database = dsn.rpartition("/")[2]

    with psycopg.connect(dsn):
        own_databases.drop(dsn)

    count = "SELECT count(*) FROM pg_database WHERE datname = '" + database + "'"
    assert run(postgres_admin_dsn, count) == 0


def test_a_broken_migration_leaves_no_database(postgres_admin_dsn, tmp_path):
    """A server that is not ours keeps nothing of a failed run."""
    folder = tmp_path / "auth" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_broken.sql").write_text("CREATE TABLE broken (;")
    broken = Databases(postgres_admin_dsn, services=tmp_path)

    with pytest.raises(Exception, match="syntax error"):
        broken.create("auth")

    assert broken.names == []


def test_bootstraps_of_two_databases_at_once_do_not_collide(postgres_admin_dsn):
    """Roles belong to the whole server; parallel test processes prepare their databases at the same moment."""
    makers = [Databases(postgres_admin_dsn) for _ in range(4)]

    with ThreadPoolExecutor() as threads:
        made = list(threads.map(lambda maker: maker.create("usage"), makers))

    for maker in makers:
        maker.drop_all()
    assert len(set(made)) == 4
