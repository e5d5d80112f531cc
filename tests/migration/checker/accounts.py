"""Users: who moves under which id, address and dates, and who waits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.migration.checker.cells import Cell
from tests.migration.checker.ids import Ids
from tests.migration.checker.readings.meaning import Meaning
from tests.migration.checker.readings.texts import NOWHERE, alike, read_address
from tests.migration.checker.readings.times import Expectations, read_time
from tests.migration.checker.source import Row
from tests.migration.checker.target import Target, micros
from tests.migration.checker.verdict import Findings

TIERS: Final = ("free", "pro", "enterprise")


@dataclass(slots=True)
class Owners:
    """Whose the rows of a user id of the source are.

    Attributes:
        moved: ids in 1.1 by those of the source.
        waiting: ids of the source whose account waits: everything of theirs waits with it.
    """

    moved: dict[tuple[str, bytes], str] = field(default_factory=dict)
    waiting: set[tuple[str, bytes]] = field(default_factory=set)


def check_users(
    rows: Sequence[Row], keys: Sequence[Row], target: Target, ids: Ids, expected: Expectations, found: Findings
) -> Owners:
    """Compare all users; return who became whom."""
    owners, waiting, seen = Owners(), {}, first_seen(keys, expected)
    for row in rows:
        id_ = ids.of_account("users", row.cell("id"))
        reason = "no id" if id_ is None else "id taken" if _is_taken(id_, owners, target) else None
        if id_ is None or reason is not None:
            waiting[row.number] = str(reason)
            owners.waiting.add(named(row.cell("id")))
            continue
        owners.moved[named(row.cell("id"))] = id_
        _check_user(row, id_, seen.get(named(row.cell("id"))), target, ids, expected, found)
    owners.waiting -= owners.moved.keys()
    _addresses([row for row in rows if row.number not in waiting], owners, target, found)
    for id_ in target.users.keys() - set(owners.moved.values()):
        found.add("account_of_nobody", id_)
    found.settle("users", rows, waiting)
    return owners


def named(cell: Cell) -> tuple[str, bytes]:
    """Return what finds rows of the same user: SQLite takes 1 and 1.0 for one, and no text for a BLOB."""
    if cell.kind == "real" and cell.raw == cell.raw // 1:
        return Cell("integer", int(cell.raw)).exact
    return cell.exact


def first_seen(keys: Sequence[Row], expected: Expectations) -> dict[tuple[str, bytes], int]:
    """Return the earliest time known of each owner of a key."""
    seen: dict[tuple[str, bytes], list[int]] = defaultdict(list)
    for row in keys:
        for name in ("created_at", "last_used_at"):
            if (meaning := read_time(row.cell(name), expected)) is not None:
                seen[named(row.cell("user_id"))].append(meaning.value)
    return {owner: min(times) for owner, times in seen.items()}


def _is_taken(id_: str, owners: Owners, target: Target) -> bool:
    return id_ in owners.moved.values() or id_ in target.others_users


def _check_user(
    row: Row, id_: str, seen: int | None, target: Target, ids: Ids, expected: Expectations, found: Findings
) -> None:
    stored = target.users.get(id_)
    if stored is None:
        found.add("lost", f"users {row.number}", f"no account {id_!r}")
        return
    ids.explained(row, "id", id_, found)
    created, updated = micros(stored["created_at"]), micros(stored["updated_at"])
    first = read_time(row.cell("created_at"), expected)
    # Nobody knows when an account began that never did anything: any time that has passed, and it is told.
    begun = seen if seen is not None else created
    found.compare(row, "created_at", first or Meaning(begun, is_plain=False), created)
    changed = read_time(row.cell("updated_at"), expected)
    found.compare(row, "updated_at", changed or Meaning(created, is_plain=False), updated)
    _own_columns(row, str(stored["tier"]), found)


def _own_columns(row: Row, tier: str, found: Findings) -> None:
    wanted = "free"
    for name, cell in row.own_columns.items():
        is_tier = name == "tier" and (cell.text or "").lower() in TIERS
        if is_tier:
            wanted = (cell.text or "").lower()
        found.explained(row, name, None, needed=cell.kind != "null" and not is_tier)
    if tier != wanted:
        found.add("wrong_value", f"users {row.number} tier", f"{tier} is not {wanted}")


def _addresses(rows: Sequence[Row], owners: Owners, target: Target, found: Findings) -> None:
    """The first of those who share an address keeps it; all others have one that receives nothing."""
    low = dict(target.low)
    taken = {low[stored["email"]] for stored in target.others_users.values()}
    people: set[str] = set()
    for row in rows:
        id_, meaning = owners.moved[named(row.cell("id"))], read_address(row.cell("email"))
        stored = target.users.get(id_)
        if stored is None:
            continue
        address = str(stored["email"])
        is_free = alike(meaning.value) not in people and low.get(meaning.value) not in taken
        _check_address(row, address, meaning, found, keeps=is_free and meaning.value != NOWHERE)
        if meaning.value != NOWHERE:
            people.add(alike(meaning.value))
            taken.add(low.get(address, address))


def _check_address(row: Row, address: str, meaning: Meaning, found: Findings, *, keeps: bool) -> None:
    if keeps:
        found.compare(row, "email", meaning, address)
        return
    if not address.endswith(NOWHERE):
        found.add("wrong_value", f"users {row.number} email", f"{address!r} is another account's, or none")
    found.explained(row, "email", address, needed=True)


def addresses_of(rows: Sequence[Row], stored: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Return every address that may have to be compared."""
    return [read_address(row.cell("email")).value for row in rows] + [str(each["email"]) for each in stored.values()]
