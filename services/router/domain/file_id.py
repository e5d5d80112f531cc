"""Ids of files stored at a provider: only their owner can use them, and no table is needed.

`file-` + base64url(mac ‖ the provider's uuid); the mac covers the owner. Any replica can read it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Final
from uuid import UUID

PREFIX: Final = "file-"
_MAC: Final = 14
_LENGTH: Final = _MAC + 16


class FileIds:
    """Makes and reads ids under one key; replicas share the key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encode(self, owner: str, file: UUID) -> str:
        """Return the id under which `owner` can use a provider's file: always the same."""
        raw = self._mac(owner, file.bytes) + file.bytes
        return PREFIX + base64.urlsafe_b64encode(raw).decode()

    def decode(self, owner: str, file_id: str) -> UUID | None:
        """Return the provider's id; None when it is no id of ours, or another owner's."""
        try:
            raw = base64.b64decode(file_id.removeprefix(PREFIX).encode(), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError):
            return None
        if len(raw) != _LENGTH or not owner:
            return None
        file = UUID(bytes=raw[_MAC:])
        # Compared as text: base64 has other ways to write the same bytes.
        return file if hmac.compare_digest(self.encode(owner, file).encode(), file_id.encode()) else None

    def _mac(self, owner: str, file: bytes) -> bytes:
        return hmac.digest(self._key, file + owner.encode("utf-8", "surrogatepass"), "sha256")[:_MAC]
