"""Schemas of 1.0.x: the book's, and what installations made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st

from tests.migration.dirt import values

BOOK: Final[Mapping[str, Mapping[str, tuple[str, values.Values]]]] = {
    "users": {
        "id": ("TEXT", values.USER_IDS),
        "email": ("TEXT", values.ADDRESSES),
        "created_at": ("TIMESTAMP DEFAULT CURRENT_TIMESTAMP", values.TIMES),
        "updated_at": ("TIMESTAMP DEFAULT CURRENT_TIMESTAMP", values.TIMES),
    },
    "api_keys": {
        "id": ("TEXT", values.KEY_IDS),
        "user_id": ("TEXT REFERENCES users(id)", values.USER_IDS),
        "key_hash": ("TEXT", values.KEY_HASHES),
        "name": ("TEXT", values.NAMES),
        "created_at": ("TIMESTAMP", values.TIMES),
        "expires_at": ("TIMESTAMP", values.EXPIRIES),
        "last_used_at": ("TIMESTAMP", values.TIMES),
    },
    "usage": {
        "id": ("TEXT", values.REQUEST_IDS),
        "user_id": ("TEXT REFERENCES users(id)", values.USER_IDS),
        "provider": ("TEXT", values.PROVIDERS),
        "model": ("TEXT", values.MODELS),
        "tokens_input": ("INTEGER", values.TOKENS),
        "tokens_output": ("INTEGER", values.TOKENS),
        "cost": ("REAL", values.COSTS),
        "created_at": ("TIMESTAMP", values.TIMES),
    },
    "provider_status": {
        "id": ("TEXT", st.integers(0, 10**9).map(str)),
        "status": ("TEXT", values.ANYTHING),
        "error_rate": ("REAL", values.ANYTHING),
    },
}
# Without these a table is none of release 1.0's.
NEEDED: Final = {
    "users": ("id",),
    "api_keys": ("id", "user_id", "key_hash"),
    "usage": ("id", "user_id", "model", "tokens_input", "tokens_output", "cost", "created_at"),
    "provider_status": (),
}
OWN_COLUMNS: Final = ("tier", "metadata", "Тариф", "External ID", "rowid", "a`\"'b", "note " * 20, "order")
# Nothing of these is data of 1.0, and none may be in the way.
BESIDE: Final = (
    "CREATE TABLE invoices (id, amount)",
    "CREATE VIEW broken AS SELECT * FROM nowhere",
    "CREATE VIEW spent AS SELECT user_id, sum(cost) FROM usage GROUP BY 1",
    "CREATE TRIGGER noisy AFTER UPDATE ON users BEGIN DELETE FROM usage; END",
    "CREATE INDEX by_user ON usage (user_id, created_at)",
    "CREATE INDEX by_model ON usage (lower(model))",
    "ALTER TABLE usage ADD COLUMN total AS (tokens_input + tokens_output)",
    "ALTER TABLE usage ADD COLUMN wrong AS (json_extract(model, '$.a')) VIRTUAL",
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of an installation: its columns with what they may hold, and how rows are named."""

    name: str
    columns: Mapping[str, tuple[str, values.Values]]
    key: str
    without_rowid: bool

    @property
    def statement(self) -> str:
        """Return what makes it."""
        parts = [f"{quoted(name)} {declared}" for name, (declared, _) in self.columns.items()]
        key = [f"PRIMARY KEY ({self.key})"] if self.key else []
        return f"CREATE TABLE {self.name} ({', '.join([*parts, *key])}){' WITHOUT ROWID' if self.without_rowid else ''}"


def quoted(name: str) -> str:
    """Return a name as SQLite reads names."""
    return "`" + name.replace("`", "``") + "`"


@st.composite
def tables(draw: st.DrawFn, name: str) -> Table:
    """Return a table as some installation has it."""
    typed = draw(st.sampled_from([True, True, True, False]))
    missing = draw(st.sets(st.sampled_from(sorted(BOOK[name].keys() - set(NEEDED[name]))), max_size=2))
    missing = missing if draw(st.integers(0, 3)) == 0 else set()
    own = draw(st.lists(st.sampled_from(OWN_COLUMNS), max_size=3, unique=True)) if draw(st.booleans()) else []
    columns = {column: part for column, part in BOOK[name].items() if column not in missing}
    columns |= dict.fromkeys(own, ("", values.ANYTHING))
    if not typed:
        columns = {column: ("", part) for column, (_, part) in columns.items()}
    key = draw(st.sampled_from(["", "id", "id", "id"])) if "id" in columns else ""
    without_rowid = bool(key) and draw(st.integers(0, 5)) == 0
    return Table(name, columns, key, without_rowid)
