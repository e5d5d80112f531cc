"""When a signing key is published, signs and is forgotten (oauth rule: publish, wait, sign, keep until over).

A key's life is settled when it is made: nothing has to happen at the right moment.

    created_at          signs_from                        the next key's signs_from     + keep
    |-- published only --|---------- signs -----------------|---- verifies only ----------|
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A stored signing key, its private half encrypted."""

    kid: str
    public_jwk: Mapping[str, str]
    sealed: bytes
    created_at: datetime
    signs_from: datetime

    def __repr__(self) -> str:
        return f"StoredKey(kid={self.kid})"


@dataclass(frozen=True, slots=True)
class RotationRules:
    """Durations of the phases of a key.

    Args:
        rotate: how long a key signs.
        publish: how long it is published before it signs: as long as anybody may cache the public keys.
        keep: how long it verifies after it signed last: as long as a token lives, and some.
    """

    rotate: timedelta
    publish: timedelta
    keep: timedelta


def signer_at(keys: Sequence[StoredKey], now: datetime) -> StoredKey | None:
    """Return the key that signs now.

    None has begun where the clock by which the first was made was ahead, or ours has gone back: then the first to come
    signs, since it is published, and without it nobody could log in until that hour.
    """
    begun = [key for key in keys if key.signs_from <= now]
    if not begun:
        return min(keys, key=_turn, default=None)
    return max(begun, key=_turn)


def _turn(key: StoredKey) -> tuple[datetime, str]:
    return key.signs_from, key.kid


def next_start(keys: Sequence[StoredKey], rules: RotationRules, now: datetime) -> datetime | None:
    """Return from when a new key is to sign; None when none is due.

    It is made in time to be published before its turn; the first one of all signs at once, since nobody can have
    cached a key set without it.
    """
    newest = max((key.signs_from for key in keys), default=None)
    if newest is None:
        return now
    due = newest + rules.rotate
    return None if now < due - rules.publish else max(due, now + rules.publish)


def waiting_at(keys: Sequence[StoredKey], now: datetime) -> StoredKey | None:
    """Return the key that is published and will sign, if there is one."""
    return max((key for key in keys if key.signs_from > now), key=_turn, default=None)


def over(keys: Sequence[StoredKey], rules: RotationRules, now: datetime) -> list[StoredKey]:
    """Return the keys of which no token can be valid any more."""
    ordered = sorted(keys, key=_turn)
    return [key for key, after in itertools.pairwise(ordered) if after.signs_from + rules.keep <= now]
