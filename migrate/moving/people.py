"""Accounts and keys into auth: as wholes, in batches, each of which does the same when it is sent again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from migrate.fates.accounts import read_people
from migrate.fates.fate import Fate, Moved, Quarantined, Repair, edits_of
from migrate.fates.left_columns import TIER, left_columns, tier_of
from migrate.fates.records import Account, Key
from migrate.moving.counts import Counts
from migrate.report.lines import ReportLines
from migrate.rules.emails import placeholder
from migrate.rules.times import Reading
from migrate.rules.verdict import Stored, Text
from migrate.source.scan import SourceRows
from services.auth.importing.imports import Imports
from services.auth.importing.records import Arrival, ImportedAccount, ImportedKey
from services.auth.shared.domain.tier import Tier

BATCH: Final = 1_000
# What an account or a key of 1.1 has a place for, beside the columns of the book.
_HERE: Final = (Arrival.INSERTED, Arrival.THERE_BEFORE)
R = TypeVar("R", Account, Key)


@dataclass(slots=True)
class MovedPeople:
    """What became of users and keys.

    Attributes:
        users, keys: how many rows had which fate.
        absent: ids of users whose account is not theirs in 1.1: nothing may be booked on it.
    """

    users: Counts = field(default_factory=Counts)
    keys: Counts = field(default_factory=Counts)
    absent: set[str] = field(default_factory=set)


async def move_people(
    users: SourceRows,
    keys: SourceRows,
    reading: Reading,
    owners: Mapping[str, str],
    imports: Imports,
    report: ReportLines,
) -> MovedPeople:
    """Move all users, then all keys; `owners`: accounts that take the place of others."""
    people = read_people(users.values, keys.values, reading, owners)
    accounts = await arrived_accounts(people.accounts, imports)
    absent = absent_of(people.accounts, accounts) | people.contested
    arrived = await arrived_keys(people.keys, owning(accounts, absent, owners), imports)
    return tell(users, keys, accounts, arrived, absent, report)


def absent_of(wanted: Sequence[Fate[Account]], arrived: Sequence[Fate[Account]]) -> set[str]:
    """Return the ids of the accounts that should have arrived and did not."""
    return {record.id for record in own_accounts(wanted)} - {record.id for record in own_accounts(arrived)}


def owning(arrived: Sequence[Fate[Account]], absent: Collection[str], owners: Mapping[str, str]) -> set[str]:
    """Return the ids of the accounts that may have keys; those that others are merged into may be of 1.1."""
    return {record.id for record in own_accounts(arrived)} | (set(owners.values()) - set(absent))


def tell(
    users: SourceRows,
    keys: SourceRows,
    accounts: Sequence[Fate[Account]],
    arrived: Sequence[Fate[Key]],
    absent: set[str],
    report: ReportLines,
) -> MovedPeople:
    """Have the report say what became of each row, and count."""
    moved = MovedPeople(absent=absent)
    for (number, row), account in zip(users.rows, accounts, strict=True):
        _note("users", number, row, users.originals, _with_the_kept(account, absent), moved.users, report)
    for (number, row), key in zip(keys.rows, arrived, strict=True):
        _note("api_keys", number, row, keys.originals, key, moved.keys, report)
    return moved


async def arrived_accounts(fates: Sequence[Fate[Account]], imports: Imports) -> list[Fate[Account]]:
    """Insert accounts; return what became of them, some with an address of their own."""
    arrivals = await _insert_accounts(fates, imports)
    before = [id_ for id_, arrival in arrivals.items() if arrival is Arrival.THERE_BEFORE]
    # A run that was killed may have given some an address of their own.
    own = {id_ for id_, address in (await imports.addresses(before)).items() if address == placeholder(id_)}
    own |= {id_ for id_, arrival in arrivals.items() if arrival is Arrival.ADDRESS_TAKEN}
    # PostgreSQL takes addresses for one that nobody else does, and 1.1 may have accounts already.
    settled = [with_own_address(fate, own) for fate in fates]
    again = [new for new, old in zip(settled, fates, strict=True) if new is not old]
    arrivals |= await _insert_accounts(again, imports)
    return [_arrived(fate, arrivals) if is_own(fate) else fate for fate in settled]


def _with_the_kept(fate: Fate[Account], absent: set[str]) -> Fate[Account]:
    """Return the fate of an account: it waits with the one that it is merged into."""
    if isinstance(fate, Moved) and fate.record.is_merged_away and fate.record.id in absent:
        return Quarantined("owner_quarantined", "id")
    return fate


def own_accounts(fates: Sequence[Fate[Account]]) -> list[Account]:
    """Return the accounts that get a row of their own."""
    return [fate.record for fate in fates if isinstance(fate, Moved) and not fate.record.is_merged_away]


def is_own(fate: Fate[Account]) -> bool:
    """Tell whether an account gets a row of its own."""
    return isinstance(fate, Moved) and not fate.record.is_merged_away


async def _insert_accounts(fates: Sequence[Fate[Account]], imports: Imports) -> dict[str, Arrival]:
    arrivals: dict[str, Arrival] = {}
    for batch in batches([account_of(record) for record in own_accounts(fates)]):
        arrivals |= await imports.accounts(batch)
    return arrivals


async def arrived_keys(fates: Sequence[Fate[Key]], here: set[str], imports: Imports) -> list[Fate[Key]]:
    """Insert the keys of accounts that are here; return what became of them."""
    owned = [with_owner(fate, here) for fate in fates]
    arrivals: dict[str, Arrival] = {}
    for batch in batches([key_of(fate.record) for fate in owned if isinstance(fate, Moved)]):
        arrivals |= await imports.keys(batch)
    return [_arrived(fate, arrivals) for fate in owned]


def with_owner(fate: Fate[Key], here: set[str]) -> Fate[Key]:
    """Return the fate of a key: one whose account is not here waits with it."""
    if isinstance(fate, Moved) and fate.record.user_id not in here:
        return Quarantined("owner_quarantined", "user_id")
    return fate


def with_own_address(fate: Fate[Account], own: set[str]) -> Fate[Account]:
    """Return the fate of an account: one of these has an address that cannot clash."""
    if not isinstance(fate, Moved) or fate.record.is_merged_away:
        return fate
    if fate.record.id not in own or fate.record.email == placeholder(fate.record.id):
        return fate
    address = placeholder(fate.record.id)
    repair = Repair("email", Text(fate.record.email.encode()), address, "address_of_another_account")
    return Moved(replace(fate.record, email=address), (*fate.repairs, repair))


def _arrived(fate: Fate[R], arrivals: Mapping[str, Arrival]) -> Fate[R]:
    if isinstance(fate, Moved) and arrivals[fate.record.id] not in _HERE:
        return Quarantined(f"{arrivals[fate.record.id]}_in_1_1", "id")
    return fate


def _note(
    table: str,
    number: int,
    row: Mapping[str, Stored],
    originals: Mapping[int, Mapping[str, Stored]],
    fate: Fate[Account] | Fate[Key],
    counts: Counts,
    report: ReportLines,
) -> None:
    original = originals.get(number, row)
    if not isinstance(fate, Moved):
        counts.quarantined += 1
        report.quarantine(table, number, fate, original)
        return
    record, repairs = fate.record, [*edits_of(original, row), *fate.repairs, *left_columns(fate.record)]
    counts.repaired += bool(repairs)
    counts.as_it_is += not repairs
    for repair in repairs:
        report.repair(table, number, record.id, repair)
        if repair.field == "id":
            report.mapping(table, original["id"], record.id)


def account_of(record: Account) -> ImportedAccount:
    """Return an account as auth takes it."""
    tier = tier_of(record.extra.get(TIER)) or Tier.FREE
    return ImportedAccount(record.id, record.email, tier, record.created_at, record.updated_at, record.id)


def key_of(record: Key) -> ImportedKey:
    """Return a key as auth takes it."""
    return ImportedKey(
        id=record.id,
        user_id=record.user_id,
        key_hash=record.key_hash,
        name=record.name,
        created_at=record.created_at,
        expires_at=record.expires_at,
        last_used_at=record.last_used_at,
        source_row=record.id,
    )


T = TypeVar("T")


def batches(records: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield records so many at a time as auth takes in one transaction."""
    for start in range(0, len(records), BATCH):
        yield records[start : start + BATCH]
