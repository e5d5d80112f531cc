"""Release 1.0 took any text for the id of a request: none is too long to be kept."""

from __future__ import annotations

import asyncio
import random
import string
from pathlib import Path

import pytest

from migrate.tests.commands import lines, migrate, stored
from migrate.tests.old_database import WHEN, make

# A btree takes no more than 2,704 bytes, after it has tried to make them fewer: noise stays as long as it is.
LENGTHS = (2_704, 3_000, 100_000)


def noise(length: int) -> str:
    """Return a text that nobody can say shorter."""
    letters = string.ascii_letters + string.digits + string.punctuation
    return "".join(random.Random(length).choices(letters, k=length))


def test_requests_with_ids_of_any_length_move_and_are_found_by_them(
    dsns: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [noise(length) for length in LENGTHS]
    rows = [(id_, "user-1", "gigachat", "GigaChat", 10, 20, 0.5, WHEN) for id_ in ids]
    old = make(tmp_path / "old.db", users=[("user-1", "a@b.ru", WHEN, WHEN)], usage=rows)

    status, summary = migrate("run", "--source", str(old), "--report", str(tmp_path / "report"), capsys=capsys)

    found = asyncio.run(
        stored(dsns["usage"], "SELECT ids.old_id FROM usage.import_ids AS ids JOIN usage.usage AS rows USING (id)")
    )
    assert (status, summary["tables"]["usage"]["repaired"]) == (0, len(ids))
    assert {old_id for (old_id,) in found} == set(ids)
    assert [line["source_id"]["value"] for line in lines(tmp_path / "report", "id_map")] == ids
