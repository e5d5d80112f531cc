"""Installations of 1.0.x differ: what is there is recognised, what is not known is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrate.source.faults import SourceFault
from migrate.source.file import open_source
from migrate.source.scan import Scan
from migrate.source.tables import Layout, read_layout
from migrate.tests.old_database import BOOK, WHEN, make, requests


def layout_of(tmp_path: Path, schema: str) -> Layout:
    """Return the layout of a database with a schema."""
    with open_source(make(tmp_path / "old.db", schema), tmp_path / "aside") as source:
        return read_layout(source.database)


def test_the_book_is_recognised(tmp_path: Path) -> None:
    found = layout_of(tmp_path, BOOK)

    assert set(found.tables) == {"users", "api_keys", "usage", "provider_status"}
    for table in found.tables.values():
        assert (table.missing, table.unknown, table.key) == ((), (), ("rowid",))
    assert found.others == ()


def test_missing_and_unknown_columns_tables_views_and_triggers_are_named(tmp_path: Path) -> None:
    schema = """
        CREATE TABLE Users (id PRIMARY KEY, Email, tier TEXT, loud AS (upper(email)));
        CREATE TABLE api_keys (id TEXT PRIMARY KEY, user_id TEXT, key_hash TEXT) WITHOUT ROWID;
        CREATE TABLE usage (id, user_id, model, tokens_input, tokens_output, cost, created_at, [external "id"]);
        CREATE TABLE invoices (id);
        CREATE VIEW broken AS SELECT * FROM nowhere;
        CREATE TRIGGER noisy AFTER INSERT ON invoices BEGIN SELECT 1; END;
    """

    found = layout_of(tmp_path, schema)

    assert found.tables["users"].unknown == ("tier",)
    assert found.tables["users"].missing == ("created_at", "updated_at")
    assert found.tables["api_keys"].key == ("id",)
    assert found.tables["usage"].missing == ("provider",)
    assert found.tables["usage"].unknown == ('external "id"',)
    assert "provider_status" not in found.tables
    assert found.others == ("table invoices", "trigger noisy", "view broken", "computed column users.loud")


def test_a_table_without_rowids_is_read_in_the_order_of_its_key(tmp_path: Path) -> None:
    schema = BOOK.replace("updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);", "updated_at TIMESTAMP) WITHOUT ROWID;", 1)
    path = make(tmp_path / "old.db", schema, users=[(name, None, WHEN, WHEN) for name in ("b", "a", "c")])
    with open_source(path, tmp_path / "aside") as source:
        table = read_layout(source.database).tables["users"]
        scan = Scan(source.database, table, ["created_at"])
        (rows,) = scan.rows()
        (behind,) = scan.rows(rows[0].key)

    assert [row.key for row in rows] == [(b"a",), (b"b",), (b"c",)]
    assert behind == rows[1:]


@pytest.mark.parametrize(
    ("schema", "named"),
    [
        ("CREATE TABLE users (id)", "no table api_keys, usage"),
        (BOOK.replace("key_hash TEXT, ", ""), "api_keys has no column key_hash"),
    ],
)
def test_what_is_no_database_of_1_0_is_refused_by_name(tmp_path: Path, schema: str, named: str) -> None:
    with pytest.raises(SourceFault, match=named):
        layout_of(tmp_path, schema)


def test_columns_that_sqlite_computes_are_named_and_not_read(tmp_path: Path) -> None:
    """They say nothing of their own, and what SQLite's JSON calls malformed is no bad page."""
    path = make(tmp_path / "old.db", usage=requests(3))
    make(path, "ALTER TABLE usage ADD COLUMN answer AS (json_extract(model, '$.answer'))")
    with open_source(path, tmp_path / "aside") as source:
        layout = read_layout(source.database)
        scan = Scan(source.database, layout.tables["usage"])
        (rows,) = scan.rows()

    assert layout.others == ("computed column usage.answer",)
    assert (len(rows), scan.holes) == (3, [])


def test_an_operators_column_is_read_by_its_own_name(tmp_path: Path) -> None:
    """SQLite knows case in ASCII only, and takes a quoted name that there is not for a text."""
    schema = BOOK.replace("email TEXT,", 'email TEXT, "Тариф" TEXT, rowid TEXT,', 1)
    users = [("u", "a@b.ru", "про", "same", WHEN, WHEN), ("v", "b@b.ru", None, "same", WHEN, WHEN)]
    path = make(tmp_path / "old.db", schema, users=users)
    with open_source(path, tmp_path / "aside") as source:
        table = read_layout(source.database).tables["users"]
        scan = Scan(source.database, table, table.unknown)
        (rows,) = scan.rows()

    assert table.unknown == ("Тариф", "rowid")
    assert table.has_rowid
    assert [(row.key, row.values) for row in rows] == [
        ((1,), ("про".encode(), b"same")), ((2,), (None, b"same")),
    ]  # fmt: skip
