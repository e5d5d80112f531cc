"""The first row that moves has an id of 1.1; whether the source keeps its ids apart changes the cost only."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from migrate.fates.fate import Moved
from migrate.fates.requests import Names, request_fate
from migrate.moving.requests import numbered
from migrate.moving.seen_ids import SeenIds
from migrate.rules.identifiers import mapped
from migrate.rules.times import Reading
from migrate.source.file import open_source
from migrate.source.scan import Scan
from migrate.source.tables import read_layout
from migrate.tests.old_database import BOOK, WHEN, make
from migrate.usage_rows.taken_ids import AllIds, MadeIds, has_free_id, taken_ids
from services.usage.importing.imports import BEGINNING

READING: Final = Reading(None, datetime(2026, 11, 29, tzinfo=UTC))
NAMES: Final = Names({}, {})
KEYLESS: Final = BOOK.replace("CREATE TABLE usage (id TEXT PRIMARY KEY,", "CREATE TABLE usage (id TEXT,")


def twins(seed: int) -> list[tuple[Any, ...]]:
    """Return rows with ids of few UUIDs in all their forms; some do not move."""
    chance = random.Random(seed)
    ids = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(4)]
    ids.append(str(mapped("usage", b"gen-1")))
    forms = [form for id_ in ids for form in (id_, id_.upper(), id_.replace("-", ""))] + ["gen-1", "gen-2"]
    chance.shuffle(forms)
    return [(form, "user", "p", "m", 1, 2, chance.choice([0.5, 0.5, -1.0]), WHEN) for form in forms]


def fates(path: Path, folder: Path, *, again: bool = False) -> tuple[type, list[bool | None]]:
    """Return who tells ids apart, and whether each row has its own; None: it does not move whatever its id."""
    with open_source(path, folder) as source, SeenIds(folder / "seen.db") as seen:
        table = read_layout(source.database).tables["usage"]
        scan = Scan(source.database, table)
        taken = taken_ids(scan, table, seen, lambda row: isinstance(request_fate(row, READING, NAMES), Moved))
        found: list[bool | None] = []
        for _ in range(1 + again):  # rows behind the last commit are read again
            found = []
            for number, cells in (
                each for piece in numbered(scan, table, BEGINNING) for each in zip(*piece, strict=True)
            ):
                fate = request_fate(scan.named(scan.row(cells)), READING, NAMES)
                found.append(has_free_id(fate, number, taken) if isinstance(fate, Moved) else None)
        return type(taken), found


@pytest.mark.parametrize("seed", range(12))
def test_the_first_row_that_moves_has_the_id(tmp_path: Path, seed: int) -> None:
    rows = twins(seed)
    apart = make(tmp_path / "apart.db", usage=rows)
    keyless = make(tmp_path / "keyless.db", KEYLESS, usage=rows)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()

    found = fates(apart, tmp_path / "a", again=True)
    all_of_them = fates(keyless, tmp_path / "b", again=True)

    assert (found[0], all_of_them[0]) == (MadeIds, AllIds)
    assert found[1] == all_of_them[1]
    assert {True, False, None} >= set(found[1])
    assert sum(each is True for each in found[1]) <= 6


@pytest.mark.parametrize(
    "key",
    ["id TEXT", "id TEXT PRIMARY KEY COLLATE NOCASE", "id INTEGER PRIMARY KEY"],
)
def test_only_an_index_over_just_the_bytes_of_ids_is_trusted(tmp_path: Path, key: str) -> None:
    path = make(
        tmp_path / "old.db", BOOK.replace("CREATE TABLE usage (id TEXT PRIMARY KEY", f"CREATE TABLE usage ({key}")
    )

    assert fates(path, tmp_path)[0] is AllIds
