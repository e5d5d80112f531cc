"""prove_known_keys: keys of 1.0 that the operator has verify in 1.1, each as the key it was, for its user."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from migrate.fates.records import Key
from migrate.moving.key_proof import keys_of_both
from migrate.moving.run import Order
from migrate.moving.target import Target
from migrate.moving.verification import Difference
from migrate.proving.verifier import Verifier
from services.auth.importing.records import KeptKey
from services.auth.keys.domain.key_hash import HashKind


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key, and the line of the file that has it: it is never told itself."""

    line: int
    secret: str = field(repr=False)


@dataclass(slots=True)
class KnownProof:
    """What was found.

    Attributes:
        by: who was asked.
        verified: keys that are somebody's, and the right one's.
        expired: keys whose time was over in 1.0, too, and that are refused.
        used_since: keys that the store cannot know any more, since they were used in 1.1: they verified then.
        differences: keys of which none of that is so.
    """

    by: str
    verified: int = 0
    expired: int = 0
    used_since: int = 0
    differences: list[Difference] = field(default_factory=list)


def read_known_keys(path: Path) -> list[KnownKey]:
    """Return the keys of a file, one a line; blank lines and those that begin with `#` say nothing.

    Raises:
        ValueError: it cannot be read, or has none.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise ValueError(f"{path} cannot be read as a text of keys, one a line: {exc}") from exc
    stripped = enumerate(map(str.strip, lines), 1)
    found = [KnownKey(number, line) for number, line in stripped if line and not line.startswith("#")]
    if not found:
        raise ValueError(f"{path} has no key: write keys of 1.0 there, one a line")
    return found


async def prove_known_keys(order: Order, target: Target, known: Sequence[KnownKey], verifier: Verifier) -> KnownProof:
    """Have each key verified.

    Raises:
        ServerError: the running auth cannot be asked.
    """
    keys, kept = await keys_of_both(order, target)
    by_hash = {key.key_hash: key for key in keys}
    proof = KnownProof(verifier.name)
    for each in known:
        key = by_hash.get(hashlib.sha256(each.secret.encode()).hexdigest())
        if key is None:
            what = f"known key of line {each.line}"
            proof.differences.append(Difference(what, "no key of the source that moved", None))
        else:
            found = await verifier.holder(each.secret)
            _judge(each, key, found, _Judgement(kept, verifier.knows_used, order.reading.now, proof))
    return proof


@dataclass(frozen=True, slots=True)
class _Judgement:
    kept: Mapping[str, KeptKey]
    knows_used: bool
    now: datetime
    proof: KnownProof


def _judge(known: KnownKey, key: Key, found: tuple[str, str] | None, by: _Judgement) -> None:
    is_over = key.expires_at is not None and key.expires_at <= by.now
    if found is None and is_over:
        by.proof.expired += 1
    elif found is None and not by.knows_used and by.kept[key.id].hash_kind != HashKind.SHA256:
        by.proof.used_since += 1
    elif found == (key.user_id, key.id):
        by.proof.verified += 1
    else:
        what = f"holder and id of the known key of line {known.line}"
        by.proof.differences.append(Difference(what, (key.user_id, key.id), found))
