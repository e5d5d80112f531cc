"""Users: who moves under which id, address and dates, and who waits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

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
    """Whose the rows of a user are, by ids of 1.1.

    Attributes:
        moved: whose account has moved.
        waiting: whose account waits: everything of theirs waits with it.
    """

    moved: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)


def check_users(
    rows: Sequence[Row], keys: Sequence[Row], target: Target, ids: Ids, expected: Expectations, found: Findings
) -> Owners:
    """Compare all users; return who became whom."""
    owners, waiting, seen = Owners(), {}, first_seen(keys, ids, expected)
    shared = _shared_ids(rows, ids)
    for row in rows:
        id_ = ids.of_account("users", row.cell("id"))
        if id_ is None:
            waiting[row.number] = "no id"
        elif id_ in shared or id_ in owners.moved or id_ in target.others_users:
            waiting[row.number] = "id taken"
            owners.waiting.add(id_)
        else:
            owners.moved.add(id_)
            _check_user(row, id_, seen.get(id_), target, ids, expected, found)
    owners.waiting -= owners.moved
    _addresses([row for row in rows if row.number not in waiting], ids, target, found)
    for id_ in target.users.keys() - owners.moved:
        found.add("account_of_nobody", id_)
    found.settle("users", rows, waiting)
    return owners


def _shared_ids(rows: Sequence[Row], ids: Ids) -> set[str]:
    """Return the ids that several ids of the source would be: nobody can say whose the rest is."""
    forms: dict[str, set[tuple[str, bytes]]] = defaultdict(set)
    for row in rows:
        if (id_ := ids.of_account("users", row.cell("id"))) is not None:
            forms[id_].add(row.cell("id").exact)
    return {id_ for id_, cells in forms.items() if len(cells) > 1}


def first_seen(keys: Sequence[Row], ids: Ids, expected: Expectations) -> dict[str, int]:
    """Return the earliest time known of each owner of a key."""
    seen: dict[str, list[int]] = defaultdict(list)
    for row in keys:
        owner = ids.of_account("users", row.cell("user_id"))
        for name in ("created_at", "last_used_at"):
            if owner is not None and (meaning := read_time(row.cell(name), expected)) is not None:
                seen[owner].append(meaning.value)
    return {owner: min(times) for owner, times in seen.items()}


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


def _addresses(rows: Sequence[Row], ids: Ids, target: Target, found: Findings) -> None:
    """The first of those who share an address keeps it; all others have one that receives nothing."""
    low = dict(target.low)
    taken = {low[stored["email"]] for stored in target.others_users.values()}
    people: set[str] = set()
    for row in rows:
        id_, meaning = ids.of_account("users", row.cell("id")), read_address(row.cell("email"))
        stored = target.users.get(id_ or "")
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
