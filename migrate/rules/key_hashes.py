"""Hashes of API keys: 1.0's is the hex SHA-256 of the key, in whatever form it was written."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Final

from migrate.rules.verdict import Kept, Refused, Repaired, Stored, Text, Verdict

# How a key is moved that lay open itself.
OPEN: Final = "open_key_hashed"
_HEX: Final = re.compile(rb"[0-9a-f]{64}")
_KEY: Final = re.compile(rb"(?:rz|sk|key)[-_][A-Za-z0-9_\-]{8,200}")
_SIZE: Final = 32


def read_key_hash(value: Stored) -> Verdict[str]:
    """Return the hash in 64 lower-case hex digits."""
    if value is None:
        return Refused("key_hash_missing")
    if not isinstance(value, bytes):
        return Refused("key_hash_not_text")
    if not isinstance(value, Text):
        return Repaired(value.hex(), "hash_as_bytes") if len(value) == _SIZE else Refused("key_hash_of_another_kind")
    if _HEX.fullmatch(value):
        return Kept(value.decode())
    return _rewritten(value.strip(b" \t\r\n"))


def is_open_key(value: object) -> bool:
    """Tell whether the key itself lies where its hash belongs, or may: nobody repeats it."""
    return isinstance(value, Text) and _KEY.fullmatch(value.strip(b" \t\r\n")) is not None


def _rewritten(value: bytes) -> Verdict[str]:
    if _HEX.fullmatch(value.lower()):
        return Repaired(value.lower().decode(), "hash_rewritten")
    bare = value.lower().removeprefix(b"sha256:")
    if _HEX.fullmatch(bare):
        return Repaired(bare.decode(), "hash_prefix_removed")
    decoded, is_key = _from_base64(value), _KEY.fullmatch(value) is not None
    if decoded is not None:
        return Refused("key_hash_of_two_kinds") if is_key else Repaired(decoded.hex(), "hash_from_base64")
    if is_key:
        # The key itself lay open; whoever reads the report is told, the key is not repeated there.
        return Repaired(hashlib.sha256(value).hexdigest(), OPEN)
    return Refused("key_hash_of_another_kind")


def _from_base64(value: bytes) -> bytes | None:
    # 43 digits for 32 bytes, and one `=`.
    if len(value) not in (43, 44):
        return None
    try:
        found = base64.b64decode(value.rstrip(b"=").translate(_URL_SAFE) + b"=", validate=True)
    except binascii.Error:
        return None
    return found if len(found) == _SIZE else None


_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
