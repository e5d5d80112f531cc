"""Old and new code run side by side over one schema: a migration only adds, or says which release needed it no more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
MIGRATIONS = sorted((REPOSITORY / "services").glob("*/migrations/*.sql"))
# What takes something away from code that was written for the schema as it was before, or asks more of it.
CONTRACTS = {
    "drops a table or a column": r"\bDROP\s+(TABLE|COLUMN|TYPE|SCHEMA)\b",
    "renames": r"\bRENAME\s+(TO|COLUMN|CONSTRAINT)?\b",
    "changes a type": r"\bALTER\s+COLUMN\s+\w+\s+(SET\s+DATA\s+)?TYPE\b",
    "asks for a value": r"\bSET\s+NOT\s+NULL\b",
    "takes a default away": r"\bDROP\s+DEFAULT\b",
    "asks for a new column's value": r"\bADD\s+COLUMN\s+(?!IF\b)(?![^,;]*\b(DEFAULT|GENERATED)\b)[^,;]*\bNOT\s+NULL\b",
}
SAID = re.compile(r"^-- contract: \S.*", re.MULTILINE)
# Written before 1.1.0 was released: no code has run over the schema in between.
BEFORE_THE_RELEASE = {
    "auth/0120_key_lineage.sql",
    "usage/0006_statistics.sql",
    "usage/0021_sums_of_keys_and_tags.sql",
    "usage/0026_import_rows.sql",
}


def contractions(sql: str) -> list[str]:
    """Return what a migration does that code of the release before may not survive, unless it says so."""
    code = re.sub(r"--[^\n]*", "", sql)
    code = re.sub(r"'(?:[^']|'')*'", "''", code)
    found = [what for what, pattern in CONTRACTS.items() if re.search(pattern, code, re.IGNORECASE)]
    return [] if SAID.search(sql) else found


def test_every_migration_only_adds_or_says_why_it_may_take_away():
    """`-- contract: 1.2 stopped reading it` in a migration of 1.3 is the other half of an expansion."""
    wrong = {}
    for file in MIGRATIONS:
        name = f"{file.parents[1].name}/{file.name}"
        if name not in BEFORE_THE_RELEASE and (found := contractions(file.read_text())):
            wrong[name] = found

    assert wrong == {}


def test_what_was_let_pass_still_needs_it():
    """A line of the list that means nothing would hide what comes later under that name."""
    found = {f"{file.parents[1].name}/{file.name}" for file in MIGRATIONS if contractions(file.read_text())}

    assert found == BEFORE_THE_RELEASE


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("ALTER TABLE a.b ADD COLUMN c text;", []),
        ("ALTER TABLE a.b ADD COLUMN c text NOT NULL DEFAULT '';", []),
        ("ALTER TABLE a.b ADD COLUMN c text NOT NULL;", ["asks for a new column's value"]),
        ("CREATE TABLE a.b (c text NOT NULL);", []),
        ("ALTER TABLE a.b DROP CONSTRAINT c, ADD CONSTRAINT c CHECK (d > 0);", []),
        ("alter table a.b drop column c;", ["drops a table or a column"]),
        ("-- DROP TABLE a.b\nCOMMENT ON TABLE a.b IS 'was renamed; DROP TABLE it some day';", []),
        ("ALTER TABLE a.b RENAME COLUMN c TO d;", ["renames"]),
        ("ALTER TABLE a.b ALTER COLUMN c TYPE bigint;", ["changes a type"]),
        ("ALTER TABLE a.b ALTER COLUMN c SET NOT NULL;", ["asks for a value"]),
        ("ALTER TABLE a.b ALTER COLUMN d DROP DEFAULT;", ["takes a default away"]),
        ("-- contract: 1.2 stopped writing it\nALTER TABLE a.b DROP COLUMN c;", []),
        ("-- contract:\nALTER TABLE a.b DROP COLUMN c;", ["drops a table or a column"]),
    ],
)  # fmt: skip
def test_what_takes_away_is_seen(sql, found):
    """However it is written, and not where it is only told of."""
    assert contractions(sql) == found
