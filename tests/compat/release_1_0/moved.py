"""A database of release 1.0, moved by the tool into the running suite."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from migrate.__main__ import main
from migrate.tests.old_database import BOOK, make
from tools.stack.running_stack import RunningStack

FIRST_DAY: Final = date(2022, 6, 1)
COST: Final = 0.001
DAYS: Final = 84
# An operator's own column, which 1.1 has a place for.
SCHEMA: Final = BOOK.replace("updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);", "updated_at TIMESTAMP, tier TEXT);", 1)


@dataclass(frozen=True, slots=True)
class OldUser:
    """A user of 1.0 with one key."""

    id: str
    tier: str | None

    @property
    def key(self) -> str:
        """Return the key, as 1.0 gave it."""
        return f"gc-{hashlib.sha256(self.id.encode()).hexdigest()[:40]}"

    @property
    def email(self) -> str:
        """Return the address."""
        return f"{self.id}@example.ru"


@dataclass(frozen=True, slots=True)
class Moved:
    """What 1.0 had, and what is moved.

    Attributes:
        payer: of the enterprise tier, with usage from FIRST_DAY on; the last DAYS days each have a request.
        free: of no tier that 1.0 wrote down.
        request_id: of the payer's first request, as 1.0 named it.
        micro_rub, requests, tokens: sums of the payer's usage.
    """

    source: Path
    report: Path
    payer: OldUser
    free: OldUser
    request_id: str
    micro_rub: int
    requests: int
    tokens: int


def written(folder: Path) -> Moved:
    """Write a database as 1.0 did; nothing is moved yet."""
    name = secrets.token_hex(4)
    payer, free = OldUser(f"old-{name}-payer", "enterprise"), OldUser(f"old-{name}-free", None)
    usage = list(_usage(payer, name))
    source = make(
        folder / f"gateway-{name}.db",
        SCHEMA,
        users=[(user.id, user.email, *_times(), user.tier) for user in (payer, free)],
        api_keys=[_key(user) for user in (payer, free)],
        usage=usage,
    )
    report = folder / f"report-{name}"
    micro_rub, tokens = len(usage) * round(COST * 1e6), sum(row[4] + row[5] for row in usage)
    return Moved(source, report, payer, free, str(usage[0][0]), micro_rub, len(usage), tokens)


def move(stack: RunningStack, folder: Path) -> Moved:
    """Write a database as 1.0 did and move it; the move must account for every row."""
    old = written(folder)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAZVILKA_HOME", str(stack.parts.home.root))
        status = main(["run", "--source", str(old.source), "--report", str(old.report), "--json"])
    assert status == 0
    return old


def _times() -> tuple[str, str]:
    return f"{FIRST_DAY} 08:00:00", f"{FIRST_DAY} 08:00:00"


def _key(user: OldUser) -> tuple[Any, ...]:
    digest = hashlib.sha256(user.key.encode()).hexdigest()
    return f"key-{user.id}", user.id, digest, "production", _times()[0], None, None


def _usage(payer: OldUser, name: str) -> Iterator[Sequence[Any]]:
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    days = [FIRST_DAY, FIRST_DAY + timedelta(days=400), *(yesterday - timedelta(days=n) for n in reversed(range(DAYS)))]
    for number, day in enumerate(days):
        id_ = f"gen-{name}-{number}"
        yield id_, payer.id, "gigachat", "gigachat/pro", 100 + number, 20, COST, f"{day} 09:30:00"
