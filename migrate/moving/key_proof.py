"""prove_keys: the keys of the source verify in 1.1, each for its user, by the hash that 1.0 kept or one made of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from migrate.fates.accounts import read_people
from migrate.fates.fate import Moved
from migrate.fates.records import Key
from migrate.moving.edited import edited
from migrate.moving.owners import owners_in
from migrate.moving.run import FIRST_SEEN, Order, reading_of
from migrate.moving.target import Target
from migrate.moving.verification import Difference
from migrate.source.scan import read_rows
from migrate.source.tables import read_layout
from services.auth.importing.records import KeptKey
from services.auth.keys.domain.key_hash import HashKind

# How many keys auth's own look-up is asked for, spread over all.
SAMPLE: Final = 200


@dataclass(frozen=True, slots=True)
class KeyProof:
    """What was found.

    Attributes:
        by_hash: keys that auth has under the hash of 1.0, with the same owner and end.
        used_since: keys that were used in 1.1 and so have another hash: they verified.
        looked_up: of `by_hash`, those that auth's own look-up was asked for.
        differences: keys of which that is not so.
    """

    by_hash: int = 0
    used_since: int = 0
    looked_up: int = 0
    differences: list[Difference] = field(default_factory=list)


async def prove_keys(order: Order, target: Target) -> KeyProof:
    """Compare every key that both sides have, and look a sample up as auth does when a request comes."""
    both, kept = await keys_of_both(order, target)
    plain = [key for key in both if kept[key.id].hash_kind == HashKind.SHA256]
    sample = plain[:: max(1, len(plain) // SAMPLE)]
    differences = [*_compared(both, kept), *await _not_found(sample, target)]
    return KeyProof(len(plain), len(both) - len(plain), len(sample), differences)


async def keys_of_both(order: Order, target: Target) -> tuple[list[Key], Mapping[str, KeptKey]]:
    """Return the keys that both sides have as the source says them, and by id as auth has them."""
    _, state = await target.usage.progress()
    if FIRST_SEEN not in state:
        return [], {}
    layout = read_layout(order.source.database)
    users, keys = edited(
        read_rows(order.source.database, layout.tables["users"]),
        read_rows(order.source.database, layout.tables["api_keys"]),
        state,
    )
    people = read_people(users.values, keys.values, reading_of(order, state), owners_in(state))
    kept = await target.auth.kept_keys()
    return [fate.record for fate in people.keys if isinstance(fate, Moved) and fate.record.id in kept], kept


def _compared(keys: Iterable[Key], kept: Mapping[str, KeptKey]) -> Iterator[Difference]:
    for key in keys:
        found = kept[key.id]
        hash_ = key.key_hash if found.hash_kind == HashKind.SHA256 else found.key_hash
        wanted = KeptKey(key.user_id, hash_, found.hash_kind, key.expires_at)
        if found != wanted:
            yield Difference(f"owner, hash and end of key {key.id}", _shown(wanted), _shown(found))


def _shown(key: KeptKey) -> list[str | None]:
    # Enough of the hash to find the row by; nobody needs the whole of it in a log.
    return [key.user_id, key.key_hash[:8], key.expires_at.isoformat() if key.expires_at else None]


async def _not_found(sample: Sequence[Key], target: Target) -> list[Difference]:
    differences: list[Difference] = []
    for key in sample:
        held = await target.keys.find([key.key_hash])
        found = None if held is None else held.key.id
        if found != key.id:
            differences.append(Difference(f"key that auth finds by the hash of {key.id}", key.id, found))
    return differences
