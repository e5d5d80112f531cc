"""Users and keys of 1.0, read as wholes: who has an address already, whose key it is, which hash is there twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeAlias, TypeVar

from migrate.fates.fate import Fate, Fields, Moved, Quarantined, Repair, fate_of
from migrate.fates.merging import RULE, Collision, merged_away
from migrate.fates.records import Account, Key
from migrate.rules.emails import NOWHERE, compared, placeholder, read_email
from migrate.rules.identifiers import id_of, read_id
from migrate.rules.key_hashes import read_key_hash
from migrate.rules.texts import read_name
from migrate.rules.times import Reading, read_expiry, read_time
from migrate.rules.verdict import Kept, Repaired, Stored, Text, Verdict

Columns: TypeAlias = Mapping[str, Stored]
USER_COLUMNS: Final = ("id", "email", "created_at", "updated_at")
KEY_COLUMNS: Final = ("id", "user_id", "key_hash", "name", "created_at", "expires_at", "last_used_at")
NOBODY: Final[Mapping[str, str]] = {}
NO_OWNER: Final = ("orphan", "owner_quarantined")


@dataclass(frozen=True, slots=True)
class People:
    """The fates of all users and keys, in the order of their rows.

    Attributes:
        collisions: of addresses, as people compare them.
        addresses: of accounts by id, before those that collide got others.
        contested: ids of 1.1 that several ids of 1.0 would be (5 and "5"): who pays is no guess.
    """

    accounts: Sequence[Fate[Account]]
    keys: Sequence[Fate[Key]]
    collisions: Sequence[Collision]
    addresses: Mapping[str, str]
    contested: frozenset[str]


def read_people(
    users: Sequence[Columns], keys: Sequence[Columns], reading: Reading, owners: Mapping[str, str] = NOBODY
) -> People:
    """Return what becomes of users and their keys; `owners`: accounts that take the place of others."""
    seen = _first_seen(keys, reading)
    contested = _contested(users)
    accounts = _without_second_ids([_account_fate(row, reading, seen, contested) for row in users])
    accounts = [merged_away(fate, owners) for fate in accounts]
    addresses = _addresses(accounts)
    accounts, collisions = _without_clashes(accounts)
    by_id = {id_of(row["id"], "user"): fate for row, fate in reversed(list(zip(users, accounts, strict=True)))}
    fates = [_key_fate(row, reading, by_id) for row in keys]
    return People(accounts, _without_shared_hashes(_without_second_ids(fates)), collisions, addresses, contested)


def _contested(users: Sequence[Columns]) -> frozenset[str]:
    forms: dict[str, set[tuple[type, Stored]]] = defaultdict(set)
    for row in users:
        if (id_ := id_of(row["id"], "user")) is not None:
            forms[id_].add((type(row["id"]), row["id"]))
    return frozenset(id_ for id_, raw in forms.items() if len(raw) > 1)


def _account_fate(
    row: Columns, reading: Reading, seen: Mapping[str | None, datetime], contested: frozenset[str]
) -> Fate[Account]:
    if id_of(row["id"], "user") in contested:
        return Quarantined("id_of_two_users", "id")

    def account(fields: Fields) -> Account:
        id_ = fields.take("id", row["id"], read_id(row["id"], "user"))
        # An account must not vanish for a date.
        first = Repaired(seen.get(id_, reading.first_seen or reading.now), "created_when_first_seen")
        created = fields.take_or("created_at", row.get("created_at"), _time(row, "created_at", reading), first)
        changed = _time(row, "updated_at", reading)
        return Account(
            id=id_,
            email=fields.take("email", row.get("email"), read_email(row.get("email"), id_)),
            created_at=created,
            updated_at=fields.take_or(
                "updated_at", row.get("updated_at"), changed, Repaired(created, "changed_when_created")
            ),
            extra=_extra(row, USER_COLUMNS),
        )

    return fate_of(account)


def _key_fate(row: Columns, reading: Reading, owners: Mapping[str | None, Fate[Account]]) -> Fate[Key]:
    owner = owners.get(id_of(row["user_id"], "user"))
    if not isinstance(owner, Moved):
        # Such a key verifies for nobody.
        return Quarantined(NO_OWNER[owner is not None], "user_id")
    account = owner.record

    def key(fields: Fields) -> Key:
        hash_ = row["key_hash"]
        created = Repaired(account.created_at, "created_with_its_owner")
        unknown: Repaired[datetime | None] = Repaired(None, "last_use_unknown")
        return Key(
            id=fields.take("id", row["id"], read_id(row["id"], "key")),
            user_id=fields.take("user_id", row["user_id"], _owner(row["user_id"], account)),
            key_hash=fields.take("key_hash", hash_, read_key_hash(hash_)),
            name=fields.take("name", row.get("name"), read_name(row.get("name"))),
            created_at=fields.take_or("created_at", row.get("created_at"), _time(row, "created_at", reading), created),
            expires_at=fields.take("expires_at", row.get("expires_at"), read_expiry(row.get("expires_at"), reading)),
            last_used_at=fields.take_or("last_used_at", row.get("last_used_at"), _last_use(row, reading), unknown),
            extra=_extra(row, KEY_COLUMNS),
        )

    return fate_of(key)


def _owner(value: Stored, account: Account) -> Verdict[str]:
    return Repaired(account.id, RULE) if account.is_merged_away else read_id(value, "user")


def _last_use(row: Columns, reading: Reading) -> Verdict[datetime | None]:
    return Kept(None) if row.get("last_used_at") is None else _time(row, "last_used_at", reading)


R = TypeVar("R", Account, Key)


def _without_second_ids(fates: Sequence[Fate[R]]) -> list[Fate[R]]:
    """Quarantine rows whose id an earlier one has: each row has a fate, and nobody becomes somebody else."""
    taken: set[str] = set()
    result: list[Fate[R]] = []
    for fate in fates:
        if isinstance(fate, Moved):
            if fate.record.id in taken:
                result.append(Quarantined("id_taken", "id"))
                continue
            taken.add(fate.record.id)
        result.append(fate)
    return result


def _addresses(fates: Sequence[Fate[Account]]) -> dict[str, str]:
    records = (fate.record for fate in fates if isinstance(fate, Moved) and not fate.record.is_merged_away)
    return {record.id: record.email for record in records if not record.email.endswith(NOWHERE)}


def _without_clashes(fates: Sequence[Fate[Account]]) -> tuple[list[Fate[Account]], list[Collision]]:
    """Give all but the first of those who share an address one that cannot clash: their keys go on working."""
    holders: dict[str, list[str]] = defaultdict(list)
    result: list[Fate[Account]] = []
    for fate in fates:
        if isinstance(fate, Moved) and not fate.record.is_merged_away:
            same = holders[compared(fate.record.email)]
            same.append(fate.record.id)
            result.append(_with_own_address(fate) if len(same) > 1 else fate)
        else:
            result.append(fate)
    return result, [Collision(address, tuple(ids)) for address, ids in holders.items() if len(ids) > 1]


def _with_own_address(fate: Moved[Account]) -> Moved[Account]:
    own = placeholder(fate.record.id)
    repair = Repair("email", Text(fate.record.email.encode()), own, "address_of_another_account")
    return Moved(replace(fate.record, email=own), (*fate.repairs, repair))


def _without_shared_hashes(fates: Sequence[Fate[Key]]) -> list[Fate[Key]]:
    """Quarantine a hash's second key, and both where two users have it: who pays is no guess."""
    owners: dict[str, list[str]] = defaultdict(list)
    for fate in fates:
        if isinstance(fate, Moved):
            owners[fate.record.key_hash].append(fate.record.user_id)
    seen: set[str] = set()
    result: list[Fate[Key]] = []
    for fate in fates:
        if isinstance(fate, Moved):
            hash_ = fate.record.key_hash
            if len(set(owners[hash_])) > 1:
                fate = Quarantined("hash_of_two_users", "key_hash")
            elif hash_ in seen:
                fate = Quarantined("hash_twice", "key_hash")
            seen.add(hash_)
        result.append(fate)
    return result


def _first_seen(keys: Sequence[Columns], reading: Reading) -> dict[str | None, datetime]:
    """Return the earliest time known of each owner of a key."""
    found: dict[str | None, datetime] = {}
    for row in keys:
        for name in ("created_at", "last_used_at"):
            verdict = _time(row, name, reading)
            if isinstance(verdict, Kept | Repaired):
                owner = id_of(row["user_id"], "user")
                found[owner] = min(verdict.value, found.get(owner, verdict.value))
    return found


def _time(row: Columns, name: str, reading: Reading) -> Verdict[datetime]:
    return read_time(row.get(name), reading)


def _extra(row: Columns, known: Sequence[str]) -> dict[str, Stored]:
    return {name: value for name, value in row.items() if name not in known}
