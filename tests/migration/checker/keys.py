"""API keys: whose they are, what verifies them, until when, and who waits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tests.migration.checker.accounts import Owners
from tests.migration.checker.ids import Ids
from tests.migration.checker.readings.meaning import Meaning
from tests.migration.checker.readings.texts import read_hash, read_name
from tests.migration.checker.readings.times import Expectations, read_expiry, read_time
from tests.migration.checker.source import Row
from tests.migration.checker.target import Target, micros
from tests.migration.checker.verdict import Findings


@dataclass(frozen=True, slots=True)
class _Key:
    row: Row
    id: str
    owner: str
    hash: Meaning
    expiry: Meaning


def check_keys(
    rows: Sequence[Row], owners: Owners, target: Target, ids: Ids, expected: Expectations, found: Findings
) -> None:
    """Compare all keys."""
    waiting: dict[int, str] = {}
    keys = _without_shared(_readable(rows, owners, target, ids, expected, waiting), target, waiting)
    for key in keys:
        _check_key(key, target, ids, expected, found)
    for id_ in target.keys.keys() - {key.id for key in keys}:
        found.add("key_of_nobody", id_)
    found.settle("api_keys", rows, waiting)


def _readable(
    rows: Sequence[Row], owners: Owners, target: Target, ids: Ids, expected: Expectations, waiting: dict[int, str]
) -> list[_Key]:
    keys: dict[str, _Key] = {}
    for row in rows:
        owner = ids.of_account("users", row.cell("user_id"))
        id_, hash_ = ids.of_account("api_keys", row.cell("id")), read_hash(row.cell("key_hash"))
        expiry = read_expiry(row.cell("expires_at"), expected)
        if owner not in owners.moved or owner is None or id_ is None or hash_ is None or expiry is None:
            waiting[row.number] = f"owner {owner}, id {id_}, hash {hash_}, expiry {expiry}"
        elif id_ in keys or id_ in target.others_keys:
            waiting[row.number] = "id taken"
        else:
            keys[id_] = _Key(row, id_, owner, hash_, expiry)
    return list(keys.values())


def _without_shared(keys: Sequence[_Key], target: Target, waiting: dict[int, str]) -> list[_Key]:
    """Leave out keys whose hash another user has, and all but a user's first of a hash."""
    owners: dict[str, set[str]] = defaultdict(set)
    for key in keys:
        owners[key.hash.value].add(key.owner)
    seen = {str(stored["key_hash"]) for stored in target.others_keys.values()}
    result = []
    for key in keys:
        if len(owners[key.hash.value]) > 1 or key.hash.value in seen:
            waiting[key.row.number] = "hash shared"
        else:
            result.append(key)
        seen.add(key.hash.value)
    return result


def _check_key(key: _Key, target: Target, ids: Ids, expected: Expectations, found: Findings) -> None:
    row, stored = key.row, target.keys.get(key.id)
    if stored is None:
        found.add("lost", f"api_keys {row.number}", f"no key {key.id!r}")
        return
    ids.explained(row, "id", key.id, found)
    ids.explained(row, "user_id", key.owner, found)
    if stored["user_id"] != key.owner:
        found.add("another_pays", f"api_keys {row.number}", f"{stored['user_id']!r}, not {key.owner!r}")
    found.compare(row, "key_hash", key.hash, stored["key_hash"])
    found.compare(row, "name", read_name(row.cell("name")), stored["name"])
    found.compare(row, "expires_at", key.expiry, micros(stored["expires_at"]))
    _check_times(row, target, key.owner, stored, expected, found)
    for name, cell in row.own_columns.items():
        found.explained(row, name, None, needed=cell.kind != "null")


def _check_times(row: Row, target: Target, owner: str, stored: object, expected: Expectations, found: Findings) -> None:
    assert isinstance(stored, dict)
    begun = micros(target.users[owner]["created_at"]) if owner in target.users else None
    created = read_time(row.cell("created_at"), expected) or Meaning(begun, is_plain=False)
    found.compare(row, "created_at", created, micros(stored["created_at"]))
    used = read_time(row.cell("last_used_at"), expected)
    never = Meaning(None, is_plain=row.cell("last_used_at").kind == "null")
    found.compare(row, "last_used_at", used or never, micros(stored["last_used_at"]))
