"""Tool call ids of at most 40 characters that carry the provider's state, so that any replica can serve the next turn.

`call_` + base64url(state ‖ mark ‖ mac), 26 bytes. The state is the provider's UUID, or chance where it has none; the
mark tells of which of the functions that a request offers the call was, should the call itself be missing from the
conversation; the mac keeps a caller from inventing a state, or using another tenant's. A state that is no UUID, and
ids made before this form, have the text form, `call_` + base64url(nonce ‖ mac ‖ name NUL state), of any length.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

# OpenAI refuses a conversation with a longer one.
LONGEST: Final = 40
_PREFIX: Final = "call_"
_NONCE: Final = 6
_MAC: Final = 10
_STATE: Final = 16
_MARK: Final = 2
_SHORT_MAC: Final = 8
_SHORT: Final = _STATE + _MARK + _SHORT_MAC
_WITH_STATE, _WITHOUT = b"state\0", b"none\0"
# Of one request: results of 150 calls that are missing, with 128 functions. A mark takes some microseconds.
MOST_MARKS: Final = 20_000


@dataclass(frozen=True, slots=True)
class CallState:
    """What must be remembered from a call until its result; a short id does not contain the name."""

    name: str
    state: str = ""


class OfferedNames:
    """The functions offered by one request, by the ids of their calls.

    A mark is made of each function for each id: a thousand results of one call and as many functions took seconds.
    """

    __slots__ = ("_ids", "_known", "_marks_left", "_names")

    def __init__(self, ids: ToolCallIds, names: Sequence[str]) -> None:
        self._ids = ids
        self._names = names
        self._known: dict[str, str] = {}
        self._marks_left = MOST_MARKS

    def of(self, call_id: str) -> str:
        """Return which function a call of ours was of; empty when that cannot be told, or takes too much telling."""
        if call_id not in self._known:
            self._marks_left -= len(self._names)
            self._known[call_id] = self._ids.name_in(call_id, self._names if self._marks_left >= 0 else ())
        return self._known[call_id]


class ToolCallIds:
    """Makes and reads ids of one tenant under one key; replicas share the key."""

    __slots__ = ("_key", "_tenant")

    def __init__(self, key: bytes, tenant: str = "") -> None:
        self._key = key
        self._tenant = tenant.encode("utf-8", "replace") + b"\0"

    def of(self, tenant: str) -> ToolCallIds:
        """Return the ids of a tenant: nobody else can use what they carry."""
        return ToolCallIds(self._key, tenant)

    def encode(self, state: CallState) -> str:
        """Return a fresh id that carries `state`."""
        packed = _packed(state.state)
        if packed is None:
            return self._as_text(state)
        kind = _WITH_STATE if state.state else _WITHOUT
        body = packed + self._mark(packed, state.name)
        return _PREFIX + _encoded(body + self._short_mac(kind, body))

    def decode(self, call_id: str) -> CallState | None:
        """Return the state of an id of ours; None for any other."""
        raw = _decoded(call_id)
        if raw is None:
            return None
        if len(raw) == _SHORT:
            body, mac = raw[:-_SHORT_MAC], raw[-_SHORT_MAC:]
            if hmac.compare_digest(mac, self._short_mac(_WITH_STATE, body)):
                return CallState("", str(UUID(bytes=body[:_STATE])))
            if hmac.compare_digest(mac, self._short_mac(_WITHOUT, body)):
                return CallState("")
        return self._of_text(raw)

    def name_in(self, call_id: str, names: Collection[str]) -> str:
        """Return which of the functions a call of ours was of; empty when that cannot be told."""
        state, raw = self.decode(call_id), _decoded(call_id)
        if state is None or raw is None:
            return ""
        if state.name:
            return state.name
        packed, mark = raw[:_STATE], raw[_STATE : _STATE + _MARK]
        found = [name for name in names if self._mark(packed, name) == mark]
        return found[0] if len(found) == 1 else ""

    def _mark(self, packed: bytes, name: str) -> bytes:
        return hmac.digest(self._key, b"name\0" + packed + name.encode("utf-8", "replace"), "sha256")[:_MARK]

    def _short_mac(self, kind: bytes, body: bytes) -> bytes:
        return hmac.digest(self._key, kind + self._tenant + body, "sha256")[:_SHORT_MAC]

    def _as_text(self, state: CallState) -> str:
        nonce = secrets.token_bytes(_NONCE)
        text = f"{state.name}\0{state.state}".encode()
        return _PREFIX + _encoded(nonce + self._mac(nonce, text) + text)

    def _of_text(self, raw: bytes) -> CallState | None:
        nonce, mac, text = raw[:_NONCE], raw[_NONCE : _NONCE + _MAC], raw[_NONCE + _MAC :]
        for tenant in (self._tenant, b""):
            # Ids of before had no tenant.
            if hmac.compare_digest(mac, hmac.digest(self._key, nonce + tenant + text, "sha256")[:_MAC]):
                name, _, state = text.decode().partition("\0")
                return CallState(name, state)
        return None

    def _mac(self, nonce: bytes, text: bytes) -> bytes:
        return hmac.digest(self._key, nonce + self._tenant + text, "sha256")[:_MAC]


def shortened(call_id: str) -> str:
    """Return a foreign id as it is, or, when it is too long for others, always the same short one in its place."""
    if len(call_id) <= LONGEST:
        return call_id
    return _PREFIX + stand_in(call_id, LONGEST - len(_PREFIX))


def of_length(call_id: str, length: int) -> str:
    """Return an id of so many letters and digits as it is; of any other always the same such one in its place."""
    if len(call_id) == length and call_id.isascii() and call_id.isalnum():
        return call_id
    return stand_in(call_id, length)


def stand_in(call_id: str, length: int) -> str:
    """Return what is told in place of a foreign id: so many hexadecimal digits, at most 64, the same each time."""
    return hashlib.sha256(call_id.encode("utf-8", "replace")).hexdigest()[:length]


def _packed(state: str) -> bytes | None:
    """Return 16 bytes that stand for a state; None when only text can."""
    if not state:
        return secrets.token_bytes(_STATE)
    try:
        found = UUID(state)
    except ValueError:
        return None
    return found.bytes if str(found) == state else None


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(call_id: str) -> bytes | None:
    if not call_id.startswith(_PREFIX):
        return None
    body = call_id[len(_PREFIX) :]
    try:
        return base64.b64decode(body.encode() + b"=" * (-len(body) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
