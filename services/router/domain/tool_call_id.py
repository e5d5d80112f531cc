"""Tool call ids that carry their own state, so that any replica can answer the next turn.

`call_` + base64url(nonce ‖ mac ‖ name NUL state). The mac keeps a caller from inventing a state; the nonce
keeps two calls of one function apart.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

_PREFIX: Final = "call_"
_NONCE: Final = 6
_MAC: Final = 10


@dataclass(frozen=True, slots=True)
class CallState:
    """What must be remembered between the call and its result."""

    name: str
    state: str = ""


class ToolCallIds:
    """Makes and reads ids under one key; replicas share the key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encode(self, state: CallState) -> str:
        """Return a fresh id that carries `state`."""
        nonce = secrets.token_bytes(_NONCE)
        text = f"{state.name}\0{state.state}".encode()
        raw = nonce + self._mac(nonce, text) + text
        return _PREFIX + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    def decode(self, call_id: str) -> CallState | None:
        """Return the state of an id of ours; None for any other."""
        if not call_id.startswith(_PREFIX):
            return None
        body = call_id[len(_PREFIX) :]
        try:
            raw = base64.b64decode(body.encode() + b"=" * (-len(body) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError):
            return None
        nonce, mac, text = raw[:_NONCE], raw[_NONCE : _NONCE + _MAC], raw[_NONCE + _MAC :]
        if not hmac.compare_digest(mac, self._mac(nonce, text)):
            return None
        name, _, state = text.decode().partition("\0")
        return CallState(name, state)

    def _mac(self, nonce: bytes, text: bytes) -> bytes:
        return hmac.digest(self._key, nonce + text, "sha256")[:_MAC]
