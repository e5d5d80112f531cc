"""Ids that were seen outlive a tool that is killed while it writes them."""

from __future__ import annotations

import shutil
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

from migrate.moving.seen_ids import SeenIds

# More than fits into the cache of a connection: half of it is in the file before it is committed.
MANY = 60_000


def test_what_was_kept_is_there_when_the_tool_dies_in_the_middle_of_a_write(tmp_path: Path) -> None:
    first, died = uuid.UUID(int=1), tmp_path / "died"
    (tmp_path / "lives").mkdir()
    with SeenIds(tmp_path / "lives" / "seen.db") as seen:
        seen.is_first(first, 7)
        seen.keep()
        for number in range(MANY):
            seen.take(uuid.uuid5(first, str(number)).bytes, number)
        # What a killed process leaves: its files as they are.
        shutil.copytree(tmp_path / "lives", died)

    with SeenIds(died / "seen.db") as seen:
        holder = seen.holder(first.bytes)
    with closing(sqlite3.connect(died / "seen.db")) as database:
        checked = database.execute("PRAGMA integrity_check").fetchall()
        count = database.execute("SELECT count(*) FROM seen").fetchone()

    assert holder == 7
    assert checked == [("ok",)]
    assert count == (1,)
