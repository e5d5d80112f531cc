"""Accounts and keys into auth: as wholes, in batches, each of which does the same when it is sent again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from migrate.fates.accounts import read_people
from migrate.fates.fate import Fate, Moved, Quarantined, Repair
from migrate.fates.records import Account, Key
from migrate.moving.counts import Counts
from migrate.report.files import ReportFiles
from migrate.rules.emails import placeholder
from migrate.rules.times import Reading
from migrate.rules.verdict import Stored, Text
from migrate.source.scan import SourceRows
from services.auth.importing.imports import Imports
from services.auth.importing.records import Arrival, ImportedAccount, ImportedKey
from services.auth.shared.domain.tier import Tier

BATCH: Final = 1_000
# What an account or a key of 1.1 has a place for, beside the columns of the book.
TIER: Final = "tier"
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
    report: ReportFiles,
) -> MovedPeople:
    """Move all users, then all keys; `owners`: accounts that take the place of others."""
    people = read_people(users.values, keys.values, reading, owners)
    moved = MovedPeople()
    accounts = await _arrived_accounts(people.accounts, imports)
    here = {record.id for record in _own(accounts)}
    moved.absent = ({record.id for record in _own(people.accounts)} - here) | people.contested
    accounts = [_with_the_kept(fate, moved.absent) for fate in accounts]
    for (number, row), fate in zip(users.rows, accounts, strict=True):
        _note("users", number, row, fate, moved.users, report)
    # Accounts that others are merged into may be those of 1.1.
    owning = here | (set(owners.values()) - moved.absent)
    for (number, row), key in zip(keys.rows, await _arrived_keys(people.keys, owning, imports), strict=True):
        _note("api_keys", number, row, key, moved.keys, report)
    return moved


async def _arrived_accounts(fates: Sequence[Fate[Account]], imports: Imports) -> list[Fate[Account]]:
    arrivals = await _insert_accounts(fates, imports)
    before = [id_ for id_, arrival in arrivals.items() if arrival is Arrival.THERE_BEFORE]
    # A run that was killed may have given some an address of their own.
    own = {id_ for id_, address in (await imports.addresses(before)).items() if address == placeholder(id_)}
    own |= {id_ for id_, arrival in arrivals.items() if arrival is Arrival.ADDRESS_TAKEN}
    # PostgreSQL takes addresses for one that nobody else does, and 1.1 may have accounts already.
    settled = [_with_own_address(fate, own) for fate in fates]
    again = [new for new, old in zip(settled, fates, strict=True) if new is not old]
    arrivals |= await _insert_accounts(again, imports)
    return [_arrived(fate, arrivals) if _is_own(fate) else fate for fate in settled]


def _with_the_kept(fate: Fate[Account], absent: set[str]) -> Fate[Account]:
    """Return the fate of an account: it waits with the one that it is merged into."""
    if isinstance(fate, Moved) and fate.record.is_merged_away and fate.record.id in absent:
        return Quarantined("owner_quarantined", "id")
    return fate


def _own(fates: Sequence[Fate[Account]]) -> list[Account]:
    """Return the accounts that get a row of their own."""
    return [fate.record for fate in fates if isinstance(fate, Moved) and not fate.record.is_merged_away]


def _is_own(fate: Fate[Account]) -> bool:
    return isinstance(fate, Moved) and not fate.record.is_merged_away


async def _insert_accounts(fates: Sequence[Fate[Account]], imports: Imports) -> dict[str, Arrival]:
    arrivals: dict[str, Arrival] = {}
    for batch in _batches([_account(record) for record in _own(fates)]):
        arrivals |= await imports.accounts(batch)
    return arrivals


async def _arrived_keys(fates: Sequence[Fate[Key]], here: set[str], imports: Imports) -> list[Fate[Key]]:
    owned = [_with_owner(fate, here) for fate in fates]
    arrivals: dict[str, Arrival] = {}
    for batch in _batches([_key(fate.record) for fate in owned if isinstance(fate, Moved)]):
        arrivals |= await imports.keys(batch)
    return [_arrived(fate, arrivals) for fate in owned]


def _with_owner(fate: Fate[Key], here: set[str]) -> Fate[Key]:
    if isinstance(fate, Moved) and fate.record.user_id not in here:
        return Quarantined("owner_quarantined", "user_id")
    return fate


def _with_own_address(fate: Fate[Account], own: set[str]) -> Fate[Account]:
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
    fate: Fate[Account] | Fate[Key],
    counts: Counts,
    report: ReportFiles,
) -> None:
    if not isinstance(fate, Moved):
        counts.quarantined += 1
        report.quarantine(table, number, fate, row)
        return
    record, repairs = fate.record, [*fate.repairs, *_left_in_report(fate.record)]
    counts.repaired += bool(repairs)
    counts.as_it_is += not repairs
    for repair in repairs:
        report.repair(table, number, record.id, repair)
        if repair.field == "id":
            report.mapping(table, row["id"], record.id)


def _left_in_report(record: Account | Key) -> Iterator[Repair]:
    """Yield the operator's own columns that 1.1 has no place for: their values stay in the report."""
    has_place = isinstance(record, Account) and not record.is_merged_away
    for name, value in record.extra.items():
        if value is not None and not (has_place and name == TIER and _tier_of(value) is not None):
            yield Repair(name, value, None, "column_left_in_report")


def _account(record: Account) -> ImportedAccount:
    tier = _tier_of(record.extra.get(TIER)) or Tier.FREE
    return ImportedAccount(record.id, record.email, tier, record.created_at, record.updated_at, record.id)


def _tier_of(value: Stored) -> Tier | None:
    return next((tier for tier in Tier if isinstance(value, bytes) and tier.value.encode() == value.lower()), None)


def _key(record: Key) -> ImportedKey:
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


def _batches(records: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(records), BATCH):
        yield records[start : start + BATCH]
