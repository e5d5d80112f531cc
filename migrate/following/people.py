"""Users and keys of 1.0 read again as wholes: new ones are brought, changed ones follow, absent ones are disabled."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from migrate.fates.accounts import People, read_people
from migrate.fates.fate import Fate, Moved
from migrate.fates.records import Account, Key
from migrate.following.changes import ChangeLog
from migrate.moving.people import (
    MovedPeople,
    account_of,
    arrived_accounts,
    arrived_keys,
    batches,
    key_of,
    tell,
    with_own_address,
    with_owner,
)
from migrate.moving.target import Target
from migrate.report.lines import ReportLines
from migrate.rules.emails import placeholder
from migrate.rules.times import Reading
from migrate.source.scan import SourceRows
from services.auth.importing.records import ImportedAccount, ImportedKey
from services.auth.importing.told import WITHDRAWN, Told, told_of

R = TypeVar("R", Account, Key)
Record = TypeVar("Record", ImportedAccount, ImportedKey)


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of all users and keys, and how much was not so before."""

    people: MovedPeople
    new: int
    changed: int


async def follow_people(
    users: SourceRows, keys: SourceRows, reading: Reading, target: Target, report: ReportLines, log: ChangeLog
) -> Followed:
    """Bring auth up to the state of the source; absent ones first, so that what they had is free for others."""
    people = read_people([row for _, row in users.rows], [row for _, row in keys.rows], reading)
    told = {kind: await target.following.told(kind) for kind in ("user", "key")}
    log.begin()
    await _withdraw(
        "key", told["key"], {fate.record.id for fate in people.keys if isinstance(fate, Moved)}, target, log
    )
    await _withdraw("user", told["user"], _ids(people.accounts), target, log)
    await _write_accounts(people.accounts, told["user"], target, log)
    await _write_keys(people.keys, told["key"], target, log)
    arrived = await _arrived(people, told, target)
    new = len(_ids(arrived.accounts) - told["user"].keys()) + len(_ids(arrived.keys) - told["key"].keys())
    return Followed(tell(users, keys, people, arrived, report), new, log.count)


async def _withdraw(
    kind: str, told: Mapping[str, Told], there: Collection[str], target: Target, log: ChangeLog
) -> None:
    gone = sorted(id_ for id_, said in told.items() if id_ not in there and WITHDRAWN not in said)
    for batch in batches(gone):
        async with target.following.withdrawn(kind, batch) as changes:
            log.write(changes)


async def _write_accounts(
    fates: Sequence[Fate[Account]], told: Mapping[str, Told], target: Target, log: ChangeLog
) -> None:
    known = [account_of(fate.record) for fate in fates if isinstance(fate, Moved) and fate.record.id in told]
    for batch in batches(_otherwise(known, told)):
        async with target.following.accounts(batch) as changes:
            log.write(changes)


async def _write_keys(fates: Sequence[Fate[Key]], told: Mapping[str, Told], target: Target, log: ChangeLog) -> None:
    known = [key_of(fate.record) for fate in fates if isinstance(fate, Moved) and fate.record.id in told]
    for batch in batches(_otherwise(known, told)):
        async with target.following.keys(batch) as changes:
            log.write(changes)


def _otherwise(records: Sequence[Record], told: Mapping[str, Told]) -> list[Record]:
    """Return the records that say something else than was told last."""
    return [each for each in records if told_of(each) != told[each.id]]


async def _arrived(people: People, told: Mapping[str, Mapping[str, Told]], target: Target) -> People:
    accounts = _merged(
        await _settled(people.accounts, target),
        await arrived_accounts(_new(people.accounts, told["user"]), target.auth),
        told["user"],
    )
    here = _ids(accounts)
    owned = [with_owner(fate, here) for fate in people.keys]
    keys = _merged(owned, await arrived_keys(_new(people.keys, told["key"]), here, target.auth), told["key"])
    return People(accounts, keys, people.collisions)


async def _settled(fates: Sequence[Fate[Account]], target: Target) -> list[Fate[Account]]:
    """Return the fates; accounts whose address another one has keep theirs, which cannot clash."""
    own = set[str]()
    for batch in batches(sorted(_ids(fates))):
        addresses = await target.auth.addresses(batch)
        own |= {id_ for id_, address in addresses.items() if address == placeholder(id_)}
    return [with_own_address(fate, own) for fate in fates]


def _ids(fates: Sequence[Fate[R]]) -> set[str]:
    return {fate.record.id for fate in fates if isinstance(fate, Moved)}


def _new(fates: Sequence[Fate[R]], told: Collection[str]) -> list[Fate[R]]:
    return [fate for fate in fates if isinstance(fate, Moved) and fate.record.id not in told]


def _merged(fates: Sequence[Fate[R]], arrived: Sequence[Fate[R]], told: Collection[str]) -> list[Fate[R]]:
    """Return all fates in their order, those of new rows as they arrived."""
    found = iter(arrived)
    return [next(found) if isinstance(fate, Moved) and fate.record.id not in told else fate for fate in fates]
