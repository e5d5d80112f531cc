"""Three-way merge of an imported row: what the source said last, what it says now, and what is stored here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from services.auth.importing.records import ImportedAccount, ImportedKey

# Digests by field. Values themselves would outlive an account that is erased.
Told: TypeAlias = Mapping[str, Any]
# Set when the row is not there any more, or would not be brought as it is now.
WITHDRAWN: Final = "withdrawn"
# Digests by field of what could not be written because another row has it: it is not tried again and again.
REFUSED: Final = "refused"
LENGTH: Final = 16


@dataclass(frozen=True, slots=True)
class Merge:
    """The values to write, by field, and the fields that keep their value because they were changed here as well."""

    changes: Mapping[str, Any]
    kept: tuple[str, ...]


def account_fields(account: ImportedAccount) -> dict[str, Any]:
    """Return the fields that are taken from the source; of the times of the last change, the later one counts."""
    return {"email": account.email, "tier": account.tier.value}


def key_fields(key: ImportedKey) -> dict[str, Any]:
    """Return the fields that are taken from the source; of the times of the last use, the later one counts."""
    return {"name": key.name, "key_hash": key.key_hash, "expires_at": key.expires_at}


def told_of(record: ImportedAccount | ImportedKey) -> dict[str, str]:
    """Return the digests of a record's fields, to compare with the next time the source is read."""
    if isinstance(record, ImportedAccount):
        return digests({**account_fields(record), "updated_at": record.updated_at})
    return digests({**key_fields(record), "user_id": record.user_id, "last_used_at": record.last_used_at})


def digests(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return a digest of each value; equal moments in different time zones have the same digest."""
    return {name: _digest(value) for name, value in fields.items()}


def merge(told: Told, theirs: Mapping[str, Any], stored: Told) -> Merge:
    """Return what to write: a field that the source changed, unless it was changed here as well.

    Args:
        told: digests of what the source said last; a field that is missing was never read, and is taken from it.
        theirs: values of the source now.
        stored: digests of the values stored here.
    """
    said, refused = digests(theirs), told.get(REFUSED, {})
    differing = [name for name in theirs if said[name] not in (told.get(name), stored[name], refused.get(name))]
    kept = tuple(name for name in differing if told.get(name, stored[name]) != stored[name])
    return Merge({name: theirs[name] for name in differing if name not in kept}, kept)


def _digest(value: Any) -> str:
    text = value.astimezone(UTC).isoformat() if isinstance(value, datetime) else repr(value)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]
