"""Users and keys of 1.0 read again as wholes: new ones are brought, changed ones follow, absent ones are disabled."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TypeVar

from migrate.fates.accounts import read_people
from migrate.fates.fate import Fate, Moved
from migrate.fates.records import Account, Key
from migrate.following.changes import ChangeLog
from migrate.moving.people import (
    MovedPeople,
    absent_of,
    account_of,
    arrived_accounts,
    arrived_keys,
    batches,
    is_own,
    key_of,
    own_accounts,
    owning,
    tell,
    with_own_address,
    with_owner,
)
from migrate.moving.target import Target
from migrate.report.lines import ReportLines
from migrate.rules.emails import placeholder
from migrate.rules.times import Reading
from migrate.source.scan import SourceRows
from services.auth.importing.field_merge import WITHDRAWN, told_of
from services.auth.importing.field_merge import Told as TellingOf
from services.auth.importing.records import ImportedAccount, ImportedKey

R = TypeVar("R", Account, Key)
Record = TypeVar("Record", ImportedAccount, ImportedKey)


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of all users and keys, and how much was not so before."""

    people: MovedPeople
    new: int
    changed: int


@dataclass(frozen=True, slots=True)
class Told:
    """What auth was told last of accounts and keys, by id."""

    accounts: Mapping[str, TellingOf]
    keys: Mapping[str, TellingOf]


async def follow_people(
    users: SourceRows,
    keys: SourceRows,
    reading: Reading,
    owners: Mapping[str, str],
    target: Target,
    report: ReportLines,
    log: ChangeLog,
) -> Followed:
    """Bring auth up to the state of the source; absent ones first, so that what they had is free for others."""
    people = read_people(users.values, keys.values, reading, owners)
    told = Told(await target.following.told("user"), await target.following.told("key"))
    await _withdraw("key", told.keys, _keys(people.keys), target, log)
    await _withdraw("user", told.accounts, _accounts(people.accounts), target, log)
    await _write_accounts(people.accounts, told.accounts, target, log)
    await _write_keys(people.keys, told.keys, target, log)
    accounts = await _arrived_accounts(people.accounts, told.accounts, target)
    absent = absent_of(people.accounts, accounts) | people.contested
    arrived = await _arrived_keys(people.keys, owning(accounts, absent, owners), told.keys, target)
    new = len(_accounts(accounts) - told.accounts.keys()) + len(_keys(arrived) - told.keys.keys())
    return Followed(tell(users, keys, accounts, arrived, absent, report), new, log.count)


async def _withdraw(
    kind: str, told: Mapping[str, TellingOf], there: Collection[str], target: Target, log: ChangeLog
) -> None:
    gone = sorted(id_ for id_, said in told.items() if id_ not in there and WITHDRAWN not in said)
    for batch in batches(gone):
        async with target.following.withdrawn(kind, batch) as changes:
            log.write(changes)


async def _write_accounts(
    fates: Sequence[Fate[Account]], told: Mapping[str, TellingOf], target: Target, log: ChangeLog
) -> None:
    known = [account_of(record) for record in own_accounts(fates) if record.id in told]
    for batch in batches(_otherwise(known, told)):
        async with target.following.accounts(batch) as changes:
            log.write(changes)


async def _write_keys(
    fates: Sequence[Fate[Key]], told: Mapping[str, TellingOf], target: Target, log: ChangeLog
) -> None:
    known = [key_of(fate.record) for fate in fates if isinstance(fate, Moved) and fate.record.id in told]
    for batch in batches(_otherwise(known, told)):
        async with target.following.keys(batch) as changes:
            log.write(changes)


def _otherwise(records: Sequence[Record], told: Mapping[str, TellingOf]) -> list[Record]:
    """Return the records that say something else than was told last."""
    return [each for each in records if told_of(each) != told[each.id]]


async def _arrived_accounts(
    fates: Sequence[Fate[Account]], told: Collection[str], target: Target
) -> list[Fate[Account]]:
    """Return the fates of all; accounts whose address another one has keep theirs, which cannot clash."""
    own = set[str]()
    for batch in batches(sorted(_accounts(fates))):
        addresses = await target.auth.addresses(batch)
        own |= {id_ for id_, address in addresses.items() if address == placeholder(id_)}
    settled = [with_own_address(fate, own) for fate in fates]
    new = [is_own(fate) and isinstance(fate, Moved) and fate.record.id not in told for fate in settled]
    return _merged(settled, new, await arrived_accounts(list(compress(fates, new)), target.auth))


async def _arrived_keys(
    fates: Sequence[Fate[Key]], owning: set[str], told: Collection[str], target: Target
) -> list[Fate[Key]]:
    new = [isinstance(fate, Moved) and fate.record.id not in told for fate in fates]
    owned = [with_owner(fate, owning) for fate in fates]
    return _merged(owned, new, await arrived_keys(list(compress(fates, new)), owning, target.auth))


def _merged(fates: Sequence[Fate[R]], new: Sequence[bool], arrived: Sequence[Fate[R]]) -> list[Fate[R]]:
    """Return all fates in their order, those of new rows as they arrived."""
    found = iter(arrived)
    return [next(found) if is_new else fate for fate, is_new in zip(fates, new, strict=True)]


def _accounts(fates: Sequence[Fate[Account]]) -> set[str]:
    return {record.id for record in own_accounts(fates)}


def _keys(fates: Sequence[Fate[Key]]) -> set[str]:
    return {fate.record.id for fate in fates if isinstance(fate, Moved)}
