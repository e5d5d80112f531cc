"""`python -m tools.migrate_demo.writer FILE`: a release 1.0 that serves, until it is stopped.

It writes usage, new users and keys, uses keys, renames one and changes an address. A write that is refused it tries
again, as 1.0 does when its callers come back; the first refusal of several is told on stdout.
"""

from __future__ import annotations

import random
import sqlite3
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from typing import Final

from tools.migrate_demo import dirt
from tools.migrate_demo.old_database import USERS, request

PAUSE_S: Final = 0.05
ROWS: Final = 3
# 1.0 gives up quickly: its callers wait.
BUSY_S: Final = 0.2
PEOPLE_EACH: Final = 10


def main() -> None:
    """Write until the process is ended."""
    chance = random.Random(datetime.now(UTC).timestamp())  # noqa: S311 - a story, not a secret
    was_refused = False
    with closing(sqlite3.connect(sys.argv[1], timeout=BUSY_S)) as database:
        for number in count():
            refusal = _tried(database, chance, number)
            if refusal and not was_refused:
                print(f"  1.0: {refusal}", flush=True)
            was_refused = bool(refusal)
            time.sleep(PAUSE_S)


def _tried(database: sqlite3.Connection, chance: random.Random, number: int) -> str:
    """Write; return why that was refused, empty when it was not."""
    try:
        with database:
            _write(database, chance, number)
    except sqlite3.OperationalError as exc:
        return str(exc)
    return ""


def _write(database: sqlite3.Connection, chance: random.Random, number: int) -> None:
    now = datetime.now(UTC)
    for _ in range(ROWS):
        database.execute("INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", request(chance, now))
    used = f"key-{chance.randint(1, USERS):03d}"
    database.execute("UPDATE api_keys SET last_used_at = ? WHERE id = ?", (now.strftime("%Y-%m-%d %H:%M:%S"), used))
    database.execute("UPDATE provider_status SET latency = ?", (chance.randint(100, 900),))
    if number % PEOPLE_EACH == 0:
        _write_people(database, f"{now:%H%M%S%f}", number)


def _write_people(database: sqlite3.Connection, tag: str, number: int) -> None:
    user, key = f"late-{tag}", f"late-key-{tag}"
    database.execute("INSERT INTO users (id, email) VALUES (?, ?)", (user, f"{user}@example.ru"))
    values = (key, user, dirt.digest(key), "late")
    database.execute("INSERT INTO api_keys (id, user_id, key_hash, name) VALUES (?, ?, ?, ?)", values)
    database.execute("UPDATE api_keys SET name = ? WHERE id = 'key-001'", (f"renamed {number}",))
    database.execute("UPDATE users SET email = ? WHERE id = 'user-002'", (f"moved-{number}@example.ru",))


if __name__ == "__main__":
    main()
