"""What another installation said of a row when it was last asked, and what is to be done when it says otherwise."""

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
    """What is written, by field, and the fields that stay because they were changed here, too."""

    changes: Mapping[str, Any]
    kept: tuple[str, ...]


def account_fields(account: ImportedAccount) -> dict[str, Any]:
    """Return what follows the other installation; the time of the last change is the later one."""
    return {"email": account.email, "tier": account.tier.value}


def key_fields(key: ImportedKey) -> dict[str, Any]:
    """Return what follows the other installation; the time of the last use is the later one, whoever says it."""
    return {"name": key.name, "key_hash": key.key_hash, "expires_at": key.expires_at}


def told_of(record: ImportedAccount | ImportedKey) -> dict[str, str]:
    """Return the digests of a record."""
    if isinstance(record, ImportedAccount):
        return digests({**account_fields(record), "updated_at": record.updated_at})
    return digests({**key_fields(record), "user_id": record.user_id, "last_used_at": record.last_used_at})


def digests(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return a digest of each value; one moment has one, whatever its zone."""
    return {name: _digest(value) for name, value in fields.items()}


def merge(told: Told, theirs: Mapping[str, Any], stored: Told) -> Merge:
    """Return what becomes of a row: what they changed is written unless it was changed here as well.

    Args:
        told: what they said last; a field that is not in it was never asked for, and is theirs.
        theirs: what they say now.
        stored: digests of what is here.
    """
    said, refused = digests(theirs), told.get(REFUSED, {})
    differing = [name for name in theirs if said[name] not in (told.get(name), stored[name], refused.get(name))]
    kept = tuple(name for name in differing if told.get(name, stored[name]) != stored[name])
    return Merge({name: theirs[name] for name in differing if name not in kept}, kept)


def _digest(value: Any) -> str:
    text = value.astimezone(UTC).isoformat() if isinstance(value, datetime) else repr(value)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]
