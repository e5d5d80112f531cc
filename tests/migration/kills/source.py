"""A source that takes a while: honest rows, and every kind of dirt among them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Final

from tests.migration.old_database import WHEN, make, request_id, sha

USERS: Final = 40
# One row in so many is none that moves as it is.
DIRT: Final = 12


def make_large(path: Path, rows: int, rng: random.Random) -> Path:
    """Make a source with so many usage rows."""
    return make(
        path,
        users=[_user(number) for number in range(USERS)],
        api_keys=[_key(number) for number in range(USERS)],
        usage=[_request(number, rng) for number in range(rows)],
        provider_status=[(f"s{n}", "gigachat", "GigaChat", "up", n, 0.5, WHEN) for n in range(5)],
    )


def _user(number: int) -> tuple[Any, ...]:
    address = f"User{number % 35}@b.ru" if number % 7 else None
    # Some began nobody knows when.
    began = WHEN if number % 3 else "?"
    return (f"user-{number}" if number != 9 else None, address, began, began)


def _key(number: int) -> tuple[Any, ...]:
    name = "k" if number % 5 else None
    return f"key-{number}", f"user-{number}", sha(str(number % 37)), name, WHEN, "", None


def _request(number: int, rng: random.Random) -> tuple[Any, ...]:
    second = f"2025-0{number % 3 + 1}-{number % 28 + 1:02d} 12:{number // 60 % 60:02d}:{number % 60:02d}"
    row: list[Any] = [request_id(number), f"user-{rng.randrange(USERS + 2)}", "gigachat", "GigaChat"]
    row += [number % 1_000, 7, number / 1_000_000, second, None]
    if number % DIRT == 0:
        place, value = rng.choice(_DIRT)
        row[place] = value(number)
    return tuple(row)


_DIRT: Final[list[tuple[int, Any]]] = [
    (0, lambda number: f"gen-{number}"),
    # Another row's id, but for the dashes.
    (0, lambda number: request_id(max(0, number - 1)).replace("-", "")),
    (1, lambda number: None),
    (2, lambda number: None),
    (4, lambda number: "1,234"),
    (4, lambda number: float(number)),
    (6, lambda number: -1.0),
    (6, lambda number: 0.1 + 0.2),
    (7, lambda number: "2025-03-04T12:00:00"),
    (7, lambda number: "now"),
    (8, lambda number: b"\xff"),
]
